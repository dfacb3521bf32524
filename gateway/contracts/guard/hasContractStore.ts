import { stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Whether there is anything to guard. A directory of that name may be about other contracts altogether. */
export async function hasContractStore(directory: string): Promise<boolean> {
  return stat(join(directory, 'schemas')).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
