import { stat } from 'node:fs/promises';

/** Whether there is anything to guard. */
export async function hasStore(directory: string): Promise<boolean> {
  return stat(directory).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
