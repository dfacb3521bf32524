import { isAbsolute, join, relative, resolve, sep, win32 } from 'node:path';
import { isHttpUrl } from '../../gateway/config/isHttpUrl.ts';
import { findRepositoryRoot } from './git.ts';

/** A path as a user in the working directory would write it: relative when it is below, absolute otherwise. Always
 *  with `/`, so that reports are the same on every system. */
export function displayPath(...parts: readonly string[]): string {
  return pathBelow(process.cwd(), resolve(join(...parts)));
}

/** The path from the root of the repository around the working directory, of a path that `displayPath` returned. Paths
 *  outside of the repository, and all paths without a repository, are unchanged. */
export function repositoryPath(displayed: string): string {
  const root = findRepositoryRoot(process.cwd());
  const { revision, path } = splitRevision(displayed);
  if (root === undefined || isHttpUrl(displayed)) return displayed;
  return `${revision}${pathBelow(root, resolve(path))}`;
}

/** The parts of `REVISION:PATH`, which a file at a Git revision is shown as. The revision is empty, or ends with the colon. */
export function splitRevision(displayed: string): { readonly revision: string; readonly path: string } {
  const isPath = isAbsolute(displayed) || win32.isAbsolute(displayed);
  const [, revision = '', path = displayed] = isPath ? [] : (/^([^:]+:)(.+)$/.exec(displayed) ?? []);
  return { revision, path };
}

function pathBelow(directory: string, absolute: string): string {
  const below = relative(directory, absolute);
  const isBelow = below !== '..' && !below.startsWith(`..${sep}`) && !isAbsolute(below);
  return (isBelow ? below || '.' : absolute).replaceAll(sep, '/');
}
