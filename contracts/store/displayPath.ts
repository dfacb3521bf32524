import { isAbsolute, join, relative, resolve, sep } from 'node:path';

/** A path as a user in the working directory would write it: relative when it is below, absolute otherwise. Always
 *  with `/`, so that reports are the same on every system. */
export function displayPath(...parts: readonly string[]): string {
  const absolute = resolve(join(...parts));
  const below = relative(process.cwd(), absolute);
  const isBelow = below !== '..' && !below.startsWith(`..${sep}`) && !isAbsolute(below);
  return (isBelow ? below || '.' : absolute).replaceAll(sep, '/');
}
