import { spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { buffer, text } from 'node:stream/consumers';

/** Why a Git command failed. `absent`: the directory is not in a Git work tree. */
export class GitError extends Error {
  readonly reason: 'absent' | 'unknown-revision' | 'failed';

  constructor(reason: GitError['reason'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'GitError';
    this.reason = reason;
  }
}

/** Runs git in a directory and returns its standard output.
 *  @throws {GitError} with the message of git. */
export async function runGit(
  directory: string,
  args: readonly string[],
  { input = '' }: { readonly input?: string } = {},
): Promise<Buffer> {
  // The messages are parsed below, so they must be in English.
  const env: NodeJS.ProcessEnv = { ...process.env, LC_ALL: 'C' };
  // A hook in a linked work tree has it. Git would take the directory for the root of the work tree.
  if (findRepositoryRoot(directory) !== undefined) delete env.GIT_DIR;
  const child = spawn('git', args, { cwd: directory, env, stdio: 'pipe' });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  // When git exits before it has read all input, standard error says why.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  try {
    const [output, errorText, code] = await Promise.all([buffer(child.stdout), text(child.stderr), ended]);
    if (code === 0) return output;
    throw new GitError(
      errorText.includes('not a git repository') ? 'absent' : 'failed',
      errorText.trim() === '' ? `git ended with ${code}` : errorText.trim(),
    );
  } catch (cause) {
    if (cause instanceof GitError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code !== 'ENOENT') throw new GitError('failed', message, { cause });
    // Outside of a repository nothing can be committed, so the check does not need git.
    throw isInRepository(directory)
      ? new GitError('failed', 'git is not installed', { cause })
      : new GitError('absent', 'git is not installed, and no repository is around it', { cause });
  }
}

function isInRepository(directory: string): boolean {
  return process.env.GIT_DIR !== undefined || findRepositoryRoot(directory) !== undefined;
}

/** The root of the work tree around a directory, found without git; `undefined` outside of a repository. */
export function findRepositoryRoot(directory: string): string | undefined {
  for (let at = resolve(directory); ; at = dirname(at)) {
    if (existsSync(join(at, '.git'))) return at;
    if (at === dirname(at)) return undefined;
  }
}

/** The commit of a revision, in the repository of a directory that need not exist.
 *  @throws {GitError} with reason `unknown-revision` when the repository does not have it. */
export async function resolveCommit(directory: string, ref: string): Promise<string> {
  const anchor = existingAncestor(directory);
  try {
    const args = ['rev-parse', '--verify', '--quiet', '--end-of-options', `${ref}^{commit}`];
    return (await runGit(anchor, args)).toString('utf8').trim();
  } catch (error) {
    // With `--quiet`, git prints a message for every failure except an unknown revision.
    if (!(error instanceof GitError) || !error.message.startsWith('git ended')) throw error;
    const where = (await isShallow(anchor)) ? 'in this shallow clone' : 'here';
    throw new GitError('unknown-revision', `Git knows no revision "${ref}" ${where}`, { cause: error });
  }
}

/** Whether HEAD has all commits of a revision. True when that cannot be determined, such as without a HEAD, or in a
 *  shallow clone. */
export async function isInHistory(directory: string, ref: string): Promise<boolean> {
  const anchor = existingAncestor(directory);
  try {
    await runGit(anchor, ['merge-base', '--is-ancestor', ref, 'HEAD']);
    return true;
  } catch (error) {
    // For every other failure, git prints a message.
    return !(error instanceof GitError && error.message === 'git ended with 1') || (await isShallow(anchor));
  }
}

async function isShallow(anchor: string): Promise<boolean> {
  return (await runGit(anchor, ['rev-parse', '--is-shallow-repository'])).toString('utf8').trim() === 'true';
}

/** The directory or its nearest ancestor that is one. A store may be new in the work tree, or removed from it, and its
 *  path may be that of a file. */
export function existingAncestor(directory: string): string {
  let ancestor = resolve(directory);
  while (!isDirectory(ancestor)) ancestor = dirname(ancestor);
  return ancestor;
}

function isDirectory(path: string): boolean {
  return existsSync(path) && statSync(path).isDirectory();
}
