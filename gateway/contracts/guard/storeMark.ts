import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Changes whenever a file of the store does, without reading any. */
export async function storeMark(directory: string): Promise<string> {
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name))
      .sort();
    const marks = await Promise.all(
      files.map(async (file) => {
        const { mtimeNs, size } = await stat(file, { bigint: true });
        return `${file} ${mtimeNs} ${size}`;
      }),
    );
    return marks.join('\n');
  } catch {
    // It is being replaced, or gone: whatever it is next differs from this.
    return 'none';
  }
}
