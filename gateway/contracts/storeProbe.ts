import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** A text that changes whenever a file of the store changes, computed without reading the files. Links to files are
 *  followed, because mounted volumes consist of links; links to directories are not, as when the store is read. */
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
    // The directory is being replaced, or is gone. Its next state differs from this one.
    return 'none';
  }
}

async function readFileFingerprint(path: string): Promise<string> {
  try {
    const { mtimeNs, size, ino } = await stat(path, { bigint: true });
    return `${mtimeNs} ${size} ${ino}`;
  } catch (error) {
    // A broken link, or a link to itself.
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ELOOP') return code;
    throw error;
  }
}

/** Whether the directory has a contract store. A directory of this name may be something else. */
export async function hasContractStore(directory: string): Promise<boolean> {
  return stat(join(directory, 'schemas')).then(
    (found) => found.isDirectory(),
    () => false,
  );
}
