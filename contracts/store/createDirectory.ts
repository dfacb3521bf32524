import { existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Creates a directory and its missing ancestors. Node's own `recursive` loops forever in a directory that cannot
 *  have children, such as `/proc`.
 *  @throws {NodeJS.ErrnoException} when a directory cannot be created. */
export function createDirectory(path: string): void {
  const missing: string[] = [];
  for (let next = resolve(path); !existsSync(next); next = dirname(next)) missing.unshift(next);
  for (const directory of missing) {
    try {
      mkdirSync(directory);
    } catch (error) {
      // Another process created it first.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}
