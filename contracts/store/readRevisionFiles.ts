import { relative, resolve, sep } from 'node:path';
import { describeReadError } from '../../gateway/files/describeReadError.ts';
import { decodeUtf8 } from '../../gateway/files/readTextFile.ts';
import { displayPath } from './displayPath.ts';
import { existingAncestor, GitError, resolveCommit, runGit } from './git.ts';
import { isStoreContent, type StoreFiles } from './storeFiles.ts';

/** Reads the store in a directory as of a Git revision; `undefined` when the directory did not exist then.
 *  @throws {GitError} */
export async function readRevisionFiles(directory: string, ref: string): Promise<StoreFiles | undefined> {
  const anchor = existingAncestor(directory);
  const commit = await resolveCommit(anchor, ref);
  const below = relative(anchor, resolve(directory)).replaceAll(sep, '/');
  const prefix = below === '' ? '' : `${below}/`;
  const entries = await listEntries(anchor, commit, prefix);
  if (entries.length === 0) return undefined;
  const contractEntries = entries.filter(({ path }) => isStoreContent(path));
  const files = contractEntries.filter(({ kind }) => kind !== 'submodule');
  // The object of a symbolic link has only the link's text. Named by its path, Git returns what the link leads to in
  // the same commit.
  const contents = await readBlobs(
    anchor,
    files.map(({ kind, id, path }) => (kind === 'link' ? `${commit}:./${prefix}${path}` : id)),
  );
  const texts = new Map<string, string>();
  const unreadable = new Map<string, string>();
  for (const { path, kind } of contractEntries) {
    if (kind === 'submodule') unreadable.set(path, 'is a submodule, and submodules are not read');
  }
  for (const [index, { path }] of files.entries()) {
    const content = contents[index] ?? new Uint8Array();
    if (typeof content === 'string') {
      unreadable.set(path, content);
      continue;
    }
    try {
      texts.set(path, decodeUtf8(content));
    } catch (error) {
      unreadable.set(path, describeReadError(error));
    }
  }
  return { texts, unreadable, displayPathOf: (path) => `${ref}:${displayPath(directory, path)}` };
}

interface TreeEntry {
  readonly kind: 'file' | 'link' | 'submodule';
  readonly id: string;
  /** Relative to the store's directory. */
  readonly path: string;
}

const entryKinds: Readonly<Record<string, TreeEntry['kind']>> = { '120000': 'link', '160000': 'submodule' };

async function listEntries(anchor: string, commit: string, prefix: string): Promise<TreeEntry[]> {
  const pathspec = prefix === '' ? [] : ['--', prefix];
  const listed = (await runGit(anchor, ['ls-tree', '-r', '-z', commit, ...pathspec])).toString('utf8');
  return listed
    .split('\0')
    .filter((entry) => entry !== '')
    .map((entry) => {
      const [attributes = '', path = ''] = entry.split('\t', 2);
      const [mode = '', , id = ''] = attributes.split(' ');
      return { kind: entryKinds[mode] ?? 'file', id, path: path.slice(prefix.length) };
    })
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Reads the contents of objects with one process, in the order of the names. For a broken link: why, as the end of a
 *  sentence. */
async function readBlobs(anchor: string, names: readonly string[]): Promise<(Uint8Array | string)[]> {
  if (names.length === 0) return [];
  const args = ['cat-file', '--batch', '--follow-symlinks'];
  const printed = await runGit(anchor, args, { input: `${names.join('\n')}\n` });
  const contents: (Uint8Array | string)[] = [];
  let position = 0;
  while (position < printed.length) {
    const lineEnd = printed.indexOf(0x0a, position);
    const header = printed.toString('utf8', position, lineEnd);
    const [, kind = '', length] = /^(\S+) (?:blob )?(\d+)$/.exec(header) ?? [];
    if (length === undefined) throw new GitError('failed', `git cannot read an object: ${header}`);
    const content = printed.subarray(lineEnd + 1, lineEnd + 1 + Number(length));
    contents.push(header.includes(' blob ') ? content : describeBrokenLink(kind, content.toString('utf8')));
    position = lineEnd + 1 + Number(length) + 1;
  }
  return contents;
}

function describeBrokenLink(kind: string, text: string): string {
  return kind === 'symlink'
    ? `is a symbolic link to ${text}, which is outside of the repository`
    : 'is a symbolic link that leads to no file of the revision';
}
