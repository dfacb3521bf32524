import { relative, resolve, sep } from 'node:path';
import { commitOf, existingAncestor, GitError, git } from './git.ts';
import { decodeText, isStoreContent, type StoreFiles } from './storeFiles.ts';
import { userPath } from './userPath.ts';

/** The store in a directory as it stood at a revision; `undefined` where that had no such directory.
 *  Errors: `GitError`. */
export async function readRevisionFiles(directory: string, ref: string): Promise<StoreFiles | undefined> {
  const anchor = existingAncestor(directory);
  const commit = await commitOf(anchor, ref);
  const prefix = relative(anchor, resolve(directory)).replaceAll(sep, '/');
  const blobs = await listBlobs(anchor, commit, prefix === '' ? '' : `${prefix}/`);
  if (blobs.length === 0) return undefined;
  const wanted = blobs.filter(({ path }) => isStoreContent(path));
  const contents = await readBlobs(
    anchor,
    wanted.map(({ id }) => id),
  );
  const texts = new Map<string, string>();
  const unreadable = new Map<string, string>();
  for (const [index, { path }] of wanted.entries()) {
    const text = decodeText(contents[index] ?? new Uint8Array());
    if (text === undefined) unreadable.set(path, 'is not UTF-8');
    else texts.set(path, text);
  }
  return { texts, unreadable, nameOf: (path) => `${ref}:${userPath(directory, path)}` };
}

interface Blob {
  readonly id: string;
  /** Below the store's directory. */
  readonly path: string;
}

async function listBlobs(anchor: string, commit: string, prefix: string): Promise<Blob[]> {
  const pathspec = prefix === '' ? [] : ['--', prefix];
  const listed = (await git(anchor, ['ls-tree', '-r', '-z', commit, ...pathspec])).toString('utf8');
  return listed
    .split('\0')
    .filter((entry) => entry !== '')
    .map((entry) => {
      const [attributes = '', path = ''] = entry.split('\t', 2);
      return { id: attributes.split(' ')[2] ?? '', path: path.slice(prefix.length) };
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The contents in the order of the ids, from one process however many there are. */
async function readBlobs(anchor: string, ids: readonly string[]): Promise<Uint8Array[]> {
  if (ids.length === 0) return [];
  const printed = await git(anchor, ['cat-file', '--batch'], { input: `${ids.join('\n')}\n` });
  const contents: Uint8Array[] = [];
  let position = 0;
  while (position < printed.length) {
    const lineEnd = printed.indexOf(0x0a, position);
    const header = printed.toString('utf8', position, lineEnd);
    const size = Number(/^\S+ blob (\d+)$/.exec(header)?.[1] ?? Number.NaN);
    if (Number.isNaN(size)) throw new GitError('failed', `git cannot read an object: ${header}`);
    contents.push(printed.subarray(lineEnd + 1, lineEnd + 1 + size));
    position = lineEnd + 1 + size + 1;
  }
  return contents;
}
