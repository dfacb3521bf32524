import { debuglog } from 'node:util';
import { CommanderError } from 'commander';
import { ConfigError } from '../../config/configError.ts';
import { messageOf } from '../../supergraph/messageOf.ts';
import { CommandError, exitCode } from '../exitCode.ts';

const debug = debuglog('tributary');

/** Runs a command so that a mistake of its own is not taken for something that breaks. Errors: those that say what the
 *  exit code is, with `undecided` for every other one. */
export async function rethrowAsUndecided<Result>(running: () => Promise<Result>): Promise<Result> {
  try {
    return await running();
  } catch (cause) {
    if ([CommandError, ConfigError, CommanderError].some((known) => cause instanceof known)) throw cause;
    throw undecidedError(cause);
  }
}

/** The same for what nobody has caught. */
export function exitUndecided(cause: unknown): never {
  console.error(undecidedError(cause).message);
  process.exit(exitCode.undecided);
}

function undecidedError(cause: unknown): CommandError {
  debug('%O', cause);
  // What the operating system refuses says itself what it is.
  const isRefused = cause instanceof Error && 'syscall' in cause;
  const message = isRefused
    ? `Nothing could be decided: ${messageOf(cause)}.`
    : `Nothing could be decided, by a mistake in Tributary: ${messageOf(cause)}. NODE_DEBUG=tributary shows where.`;
  return new CommandError(exitCode.undecided, message, { cause });
}
