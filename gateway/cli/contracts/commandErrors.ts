import { debuglog } from 'node:util';
import { CommanderError } from 'commander';
import type { Finding } from '../../../contracts/finding.ts';
import type { Severity } from '../../../contracts/severity.ts';
import { ConfigError } from '../../config/configError.ts';
import { messageOf } from '../../errors.ts';
import { CommandError, exitCode } from '../exitCode.ts';

const debug = debuglog('tributary');

/** Runs a command, and makes unexpected errors exit with `undecided` instead of a code that says that something
 *  breaks.
 *  @throws {CommandError} */
export async function rethrowAsUndecided<Result>(running: () => Promise<Result>): Promise<Result> {
  try {
    return await running();
  } catch (cause) {
    if ([CommandError, ConfigError, CommanderError].some((known) => cause instanceof known)) throw cause;
    throw undecidedError(cause);
  }
}

/** Does the same for errors outside of the command's promise. */
export function exitUndecided(cause: unknown): never {
  console.error(undecidedError(cause).message);
  process.exit(exitCode.undecided);
}

function undecidedError(cause: unknown): CommandError {
  debug('%O', cause);
  // A refused system call explains itself.
  const isRefused = cause instanceof Error && 'syscall' in cause;
  const message = isRefused
    ? `Nothing could be decided: ${messageOf(cause)}.`
    : `Nothing could be decided, because of a defect in Tributary: ${messageOf(cause)}. NODE_DEBUG=tributary prints the stack.`;
  return new CommandError(exitCode.undecided, message, { cause });
}

/** The error of a command that stops, with one line per problem. The exit code is `usageError` when there is a mistake
 *  of the user, `failed` when something breaks, and `undecided` when the only problem is that subgraphs do not
 *  answer. */
export function describeProblems(outcome: string, problems: readonly Finding[]): CommandError {
  const lines = problems.map(({ message, advice, location }) => {
    const where = location === undefined ? '' : `${location.file}:${location.line}:${location.column} `;
    return `  ${where}${message} ${advice ?? ''}`.trimEnd();
  });
  const has = (severity: Severity): boolean => problems.some((problem) => problem.severity === severity);
  const code = has('misuse') ? exitCode.usageError : has('breaking') ? exitCode.failed : exitCode.undecided;
  return new CommandError(code, `${outcome}:\n${lines.join('\n')}`);
}

/** File system errors are for the user to solve. */
export async function rethrowFileErrors<Result>(write: () => Promise<Result>): Promise<Result> {
  try {
    return await write();
  } catch (cause) {
    if (!(cause instanceof Error) || !('syscall' in cause)) throw cause;
    throw new CommandError(exitCode.usageError, `The contract store cannot be written: ${cause.message}`, {
      cause,
    });
  }
}
