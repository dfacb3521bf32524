import { readdir } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import { describeReadError } from '../../gateway/files/describeReadError.ts';
import { readTextFile } from '../../gateway/files/readTextFile.ts';
import { displayPath } from './displayPath.ts';
import { isStoreContent, type StoreFiles } from './storeFiles.ts';

/** Reads the store in a directory; `undefined` when the directory does not exist. */
export async function readWorkTreeFiles(directory: string): Promise<StoreFiles | undefined> {
  const paths = await listPaths(directory);
  if (paths === undefined) return undefined;
  const texts = new Map<string, string>();
  const unreadable = new Map<string, string>();
  for (const path of paths) {
    try {
      texts.set(path, await readTextFile(join(directory, path)));
    } catch (error) {
      unreadable.set(path, describeReadError(error));
    }
  }
  return { texts, unreadable, displayPathOf: (path) => displayPath(directory, path) };
}

async function listPaths(directory: string): Promise<string[] | undefined> {
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory())
      .map(({ parentPath, name }) => relative(directory, join(parentPath, name)))
      .map((path) => path.replaceAll(sep, '/'))
      .filter(isStoreContent)
      .sort();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
