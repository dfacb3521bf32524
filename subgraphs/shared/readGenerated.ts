import { readFileSync } from 'node:fs';

/** The parsed file of that name under `generated/`; a new object at every call. */
export function readGenerated<File>(name: string): File {
  return JSON.parse(readFileSync(new URL(`./generated/${name}.json`, import.meta.url), 'utf8')) as File;
}
