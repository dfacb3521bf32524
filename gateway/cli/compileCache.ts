import { mkdirSync, realpathSync, statSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** Lets V8 store compiled modules in the user's cache directory when the process exits, and read them at the next start, which
 *  takes up to a tenth less CPU time then. The files contain code that later starts run. Hence no directory is used that
 *  another user could change, and none without user ids, as on Windows. Does nothing when Node's own variables already say
 *  where to store it, or that it must not be stored. */
export function enablePrivateCompileCache(
  env: NodeJS.ProcessEnv = process.env,
  findHome: () => string = homedir,
): void {
  if (env.NODE_COMPILE_CACHE !== undefined || env.NODE_DISABLE_COMPILE_CACHE !== undefined) return;
  const cache = env.XDG_CACHE_HOME || userCacheDirectory(findHome);
  if (cache === undefined) return;
  const directory = createPrivateDirectory(join(cache, 'tributary'), process.getuid?.());
  if (directory === undefined) return;
  enableCompileCache(directory);
  // For the planner's thread, and for the processes of `--workers`.
  env.NODE_COMPILE_CACHE = directory;
}

/** `undefined` for a user without a home directory, such as a user id without an entry in `/etc/passwd`. */
function userCacheDirectory(findHome: () => string): string | undefined {
  try {
    return join(findHome(), '.cache');
  } catch {
    return undefined;
  }
}

/** Creates a directory, unless it exists. Returns its real path; `undefined` when it cannot be created, and when another user
 *  than `userId` and root could replace its contents, or when there are no user ids. */
export function createPrivateDirectory(path: string, userId: number | undefined): string | undefined {
  if (userId === undefined) return undefined;
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const directory = realpathSync(path);
    if (isWritableByOthers(directory)) return undefined;
    for (let parent = directory; ; parent = dirname(parent)) {
      if (isReplaceableByOthers(parent, userId)) return undefined;
      if (parent === dirname(parent)) return directory;
    }
  } catch {
    // A read-only file system, or no home directory.
    return undefined;
  }
}

const writableByOthers = 0o022;
/** In a directory with this bit, users can rename and delete only their own entries. */
const sticky = 0o1000;

function isWritableByOthers(directory: string): boolean {
  return (statSync(directory).mode & writableByOthers) !== 0;
}

function isReplaceableByOthers(directory: string, userId: number): boolean {
  const { uid, mode } = statSync(directory);
  return (uid !== userId && uid !== 0) || (isWritableByOthers(directory) && (mode & sticky) === 0);
}
