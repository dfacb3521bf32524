import { CommandError, exitCode } from '../exitCode.ts';

/** What the file system refuses is the user's to solve. */
export async function rethrowFileErrors<Result>(writing: Promise<Result>): Promise<Result> {
  try {
    return await writing;
  } catch (cause) {
    if (!(cause instanceof Error) || !('syscall' in cause)) throw cause;
    throw new CommandError(exitCode.usageError, `The store cannot be written: ${cause.message}`, { cause });
  }
}
