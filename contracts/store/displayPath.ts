import { isAbsolute, join, relative, resolve, sep } from 'node:path';

/** A path as a user at the working directory would write it: relative where it is below, absolute elsewhere;
 *  with `/` on every system, so that reports are the same everywhere. */
export function displayPath(...parts: readonly string[]): string {
  const absolute = resolve(join(...parts));
  const below = relative(process.cwd(), absolute);
  const isBelow = below !== '..' && !below.startsWith(`..${sep}`) && !isAbsolute(below);
  return (isBelow ? below || '.' : absolute).replaceAll(sep, '/');
}
