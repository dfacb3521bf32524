import { readFileSync } from 'node:fs';

/** Reads and parses a file of `generated/`. Each call returns a new object. */
export function readGenerated<File>(name: string): File {
  return JSON.parse(readFileSync(new URL(`./generated/${name}.json`, import.meta.url), 'utf8')) as File;
}
