import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Changes whenever a file of the store does, without reading any. What a link leads to counts: a mounted volume
 *  consists of links. Those to directories are not followed, as where the store is read. */
export async function readStoreFingerprint(directory: string): Promise<string> {
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    const paths = entries
      .filter((entry) => !entry.isDirectory())
      .map(({ parentPath, name }) => join(parentPath, name))
      .sort();
    return (await Promise.all(paths.map(async (path) => `${path} ${await readFileFingerprint(path)}`))).join(
      '\n',
    );
  } catch {
    // It is being replaced, or gone: whatever it is next differs from this.
    return 'none';
  }
}

async function readFileFingerprint(path: string): Promise<string> {
  try {
    const { mtimeNs, size, ino } = await stat(path, { bigint: true });
    return `${mtimeNs} ${size} ${ino}`;
  } catch (error) {
    // A link to nothing, or to itself.
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ELOOP') return code;
    throw error;
  }
}

/** Whether there is anything to guard. A directory of that name may be about other contracts altogether. */
export async function hasContractStore(directory: string): Promise<boolean> {
  return stat(join(directory, 'schemas')).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
