import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Collects the heap of this thread. `last-resort` returns the free memory to the operating system, `regular` keeps it for
 *  later. */
export function collectGarbage(flavor: 'regular' | 'last-resort'): void {
  // Only contexts that are created now have the function.
  setFlagsFromString('--expose-gc');
  const collect: NodeJS.GCFunction = runInNewContext('gc');
  setFlagsFromString('--no-expose-gc');
  collect({ type: 'major', execution: 'sync', flavor });
}
