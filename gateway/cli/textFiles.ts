import { statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describeReadError } from '../files/describeReadError.ts';
import { readTextFileSync } from '../files/readTextFile.ts';
import { CommandError, exitCode } from './exitCode.ts';

/** Reads a file from the command line.
 *  @throws {CommandError} `usageError` */
export function readText(file: string): string {
  try {
    return readTextFileSync(file);
  } catch (cause) {
    throw new CommandError(exitCode.usageError, `${file} ${describeReadError(cause)}.`, { cause });
  }
}

/** Writes a file from the command line. `flag`: `wx` leaves an existing file unchanged.
 *  @throws {CommandError} `usageError` */
export function writeText(file: string, text: string, flag: 'w' | 'wx'): void {
  try {
    writeFileSync(file, text, { flag });
  } catch (cause) {
    const message = describeWriteError(file, cause as NodeJS.ErrnoException);
    throw new CommandError(exitCode.usageError, message, { cause });
  }
}

function describeWriteError(file: string, { code, message }: NodeJS.ErrnoException): string {
  const exists = code === 'EEXIST';
  if (code === 'EISDIR' || (exists && statSync(file, { throwIfNoEntry: false })?.isDirectory()))
    return `Nothing was written, because ${file} is a directory.`;
  if (exists) return `Nothing was written, because ${file} exists. --force replaces it.`;
  if (code === 'ENOENT') return `Nothing was written, because the directory ${dirname(file)} does not exist.`;
  if (code === 'EACCES') return `Nothing was written, because this process may not write ${file}.`;
  return `${file} could not be written: ${message}`;
}
