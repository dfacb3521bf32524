import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** Reads a file in UTF-8, without its byte order mark.
 *  @throws an error for `describeReadError`, also when the file is not UTF-8. */
export async function readTextFile(path: string): Promise<string> {
  return decodeUtf8(await readFile(path));
}

/** As `readTextFile`. */
export function readTextFileSync(path: string): string {
  return decodeUtf8(readFileSync(path));
}

/** @throws an error for `describeReadError` when the bytes of a file are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}
