import { existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Makes a directory with those above it, where they are not there. Node's own `recursive` tries without end where a
 *  directory takes none below it, such as `/proc`. Errors: those of the file system. */
export function createDirectory(path: string): void {
  const missing: string[] = [];
  for (let next = resolve(path); !existsSync(next); next = dirname(next)) missing.unshift(next);
  for (const directory of missing) {
    try {
      mkdirSync(directory);
    } catch (error) {
      // Somebody else was faster.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}
