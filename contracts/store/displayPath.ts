import { isAbsolute, join, relative, resolve, sep } from 'node:path';
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
  // A file at a Git revision is shown as `REVISION:PATH`.
  const [, revision = '', path = displayed] = isAbsolute(displayed)
    ? []
    : (/^([^:]+:)(.+)$/.exec(displayed) ?? []);
  if (root === undefined || isHttpUrl(displayed)) return displayed;
  return `${revision}${pathBelow(root, resolve(path))}`;
}

function pathBelow(directory: string, absolute: string): string {
  const below = relative(directory, absolute);
  const isBelow = below !== '..' && !below.startsWith(`..${sep}`) && !isAbsolute(below);
  return (isBelow ? below || '.' : absolute).replaceAll(sep, '/');
}
