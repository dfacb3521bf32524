import { readdir, readFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Finding } from '../finding.ts';
import { problem } from './problem.ts';
import { decodeText, isStoreContent, type StoreFiles } from './storeFiles.ts';
import { userPath } from './userPath.ts';

/** The store in a directory as it is now; `undefined` where there is no such directory. */
export async function readWorkTreeFiles(directory: string): Promise<StoreFiles | undefined> {
  const paths = await listPaths(directory);
  if (paths === undefined) return undefined;
  const texts = new Map<string, string>();
  const problems: Finding[] = [];
  const nameOf = (path: string) => userPath(directory, path);
  const unreadable = (path: string, reason: string) =>
    problem({
      rule: 'store-file-unreadable',
      message: `${nameOf(path)} ${reason}.`,
      advice: 'Make it a text file in UTF-8 that may be read, or remove it.',
      place: { file: nameOf(path), line: 1, column: 1 },
    });
  for (const path of paths) {
    try {
      const text = decodeText(await readFile(join(directory, path)));
      if (text === undefined) problems.push(unreadable(path, 'is not UTF-8'));
      else texts.set(path, text);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      problems.push(unreadable(path, `cannot be read (${code})`));
    }
  }
  return { texts, problems, nameOf };
}

async function listPaths(directory: string): Promise<string[] | undefined> {
  try {
    const entries = await readdir(directory, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory())
      .map(({ parentPath, name }) => join(parentPath, name).slice(join(directory, sep).length))
      .map((path) => path.replaceAll(sep, '/'))
      .filter(isStoreContent)
      .sort();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}
