import { describe, expect, test } from '@jest/globals';
import { createErrorFormatter } from '../../../gateway/admission/errorFormatter.ts';
import { ClientDisconnectedError } from '../../../gateway/admission/httpError.ts';

const format = createErrorFormatter({ suggestions: false });
const errorOf = (message: string) => ({ message, extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } });

describe('the error formatter without suggestions', () => {
  test('removes the suggestion at the end of a message, and nothing that the message quotes', () => {
    const quoted = 'Value "Did you mean X?" does not exist in "Size" enum.';
    expect(format(errorOf(`${quoted} Did you mean the enum value "SMALL"?`)).message).toBe(quoted);
    expect(format(errorOf(quoted)).message).toBe(quoted);
  });

  test('takes time in proportion to a message that quotes the words of suggestions many times', () => {
    const message = `Int cannot represent non-integer value: "${'Did you mean '.repeat(8_000)}"`;
    const before = process.cpuUsage();
    expect(format(errorOf(message)).message).toBe(message);
    // In microseconds. Reading the rest of the message for each of the quoted texts takes seconds.
    expect(process.cpuUsage(before).user).toBeLessThan(500_000);
  });
});

test('the error of a client that has disconnected has no stack, and later errors have one', () => {
  expect(new ClientDisconnectedError().stack).toBe(
    'ClientDisconnectedError: The client closed the connection.',
  );
  expect(new Error('Later').stack).toContain('\n    at ');
});
