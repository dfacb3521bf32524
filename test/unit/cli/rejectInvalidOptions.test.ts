import { describe, expect, test } from '@jest/globals';
import { Command } from 'commander';
import { rejectInvalidOptions } from '../../../gateway/cli/rejectInvalidOptions.ts';

/** The options that the subcommand receives, or the error message. */
async function run(...args: readonly string[]): Promise<unknown> {
  const program = new Command('tributary').exitOverride().configureOutput({ writeErr: () => {} });
  let given: unknown;
  program
    .command('check')
    .argument('[operation]')
    .option('-e, --environment <name>', '', 'live')
    .option('--subgraph <name>', '', (value: string, earlier: string[] = []) => [...earlier, value])
    .option('--strict')
    .action((operation, options) => {
      given = operation === undefined ? options : { ...options, operation };
    });
  rejectInvalidOptions(program);
  try {
    await program.parseAsync(['check', ...args], { from: 'user' });
    return given;
  } catch (error) {
    return (error as Error).message;
  }
}

describe('a command line option', () => {
  test('with a single value is refused when it is repeated', async () => {
    const refused = "error: option '-e, --environment <name>' is given twice, but takes one value";
    expect(await run('--environment', 'a', '--environment', 'b')).toBe(refused);
    expect(await run('--environment', 'a', '-e', 'a')).toBe(refused);
  });

  test('is refused with an empty value', async () => {
    expect(await run('--environment', '')).toBe("error: option '-e, --environment <name>' is empty");
    expect(await run('--subgraph', 'a', '--subgraph', '')).toBe("error: option '--subgraph <name>' is empty");
  });

  test('may be given once, and repeatedly if it takes several values or none', async () => {
    expect(await run('--environment', 'a', '--strict', '--strict')).toEqual({
      environment: 'a',
      strict: true,
    });
    expect(await run('--subgraph', 'a', '--subgraph', 'b')).toEqual({
      environment: 'live',
      subgraph: ['a', 'b'],
    });
  });
});

test('an argument of a command is refused when it is empty', async () => {
  expect(await run('')).toBe("error: argument 'operation' is empty");
  expect(await run('a.graphql')).toEqual({ environment: 'live', operation: 'a.graphql' });
});
