import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { buffer, text } from 'node:stream/consumers';

/** Why Git cannot tell. `absent`: the directory is in no work tree of it, so that there is nothing to tell. */
export class GitError extends Error {
  readonly reason: 'absent' | 'unknown-revision' | 'failed';

  constructor(reason: GitError['reason'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'GitError';
    this.reason = reason;
  }
}

/** Runs git in a directory and gives what it prints. Errors: `GitError` with what it says. */
export async function runGit(
  directory: string,
  args: readonly string[],
  { input = '' }: { readonly input?: string } = {},
): Promise<Buffer> {
  // Its messages are read below.
  const env = { ...process.env, LC_ALL: 'C' };
  const child = spawn('git', args, { cwd: directory, env, stdio: 'pipe' });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  // A git that ends before it has read all says why on standard error.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  try {
    const [printed, complaint, code] = await Promise.all([buffer(child.stdout), text(child.stderr), ended]);
    if (code === 0) return printed;
    throw new GitError(
      complaint.includes('not a git repository') ? 'absent' : 'failed',
      complaint.trim() === '' ? `git ended with ${code}` : complaint.trim(),
    );
  } catch (cause) {
    if (cause instanceof GitError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code !== 'ENOENT') throw new GitError('failed', message, { cause });
    // Whether anything has changed is known only where there is nothing to ask.
    throw isInRepository(directory)
      ? new GitError('failed', 'git is not installed', { cause })
      : new GitError('absent', 'git is not installed, and no repository is around it', { cause });
  }
}

function isInRepository(directory: string): boolean {
  if (process.env.GIT_DIR !== undefined) return true;
  for (let at = resolve(directory); ; at = dirname(at)) {
    if (existsSync(join(at, '.git'))) return true;
    if (at === dirname(at)) return false;
  }
}

/** The commit that a revision names, in the repository of a directory that need not exist. Errors: `GitError`, `unknown-revision` where there is none. */
export async function resolveCommit(directory: string, ref: string): Promise<string> {
  try {
    const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`];
    return (await runGit(existingAncestor(directory), args)).toString('utf8').trim();
  } catch (error) {
    // Told to be quiet, it has a message for everything but that.
    if (!(error instanceof GitError) || !error.message.startsWith('git ended')) throw error;
    throw new GitError('unknown-revision', `Git knows no revision "${ref}" here`, { cause: error });
  }
}

/** The directory, or the nearest one above it that exists: it may be new in, or gone from, the work tree. */
export function existingAncestor(directory: string): string {
  let ancestor = resolve(directory);
  while (!existsSync(ancestor)) ancestor = dirname(ancestor);
  return ancestor;
}
