import { expect, test } from '@jest/globals';
import { rethrowAsUndecided } from '../../../../gateway/cli/contracts/commandErrors.ts';
import { CommandError, exitCode } from '../../../../gateway/cli/exitCode.ts';

const failing = (error: unknown) => rethrowAsUndecided(() => Promise.reject(error));

test('an unexpected error exits with code 3', async () => {
  await expect(failing(new TypeError('x is not a function'))).rejects.toMatchObject({
    exitCode: exitCode.undecided,
    message:
      'Nothing could be decided, because of a defect in Tributary: x is not a function. NODE_DEBUG=tributary prints the stack.',
  });
});

test('an error with an exit code keeps it', async () => {
  const commandError = new CommandError(exitCode.usageError, 'no');
  await expect(failing(commandError)).rejects.toBe(commandError);
});
