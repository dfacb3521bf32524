import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A temporary directory with a contract store `contracts`, optionally in a Git repository. */
export class TemporaryContractStore implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), 'tributary-contracts-'));
  readonly directory = join(this.root, 'contracts');

  /** Files by path relative to the root. */
  constructor(files: Readonly<Record<string, string | Uint8Array>> = {}) {
    this.write(files);
  }

  write(files: Readonly<Record<string, string | Uint8Array>>): this {
    for (const [path, content] of Object.entries(files)) {
      mkdirSync(dirname(this.path(path)), { recursive: true });
      writeFileSync(this.path(path), content);
    }
    return this;
  }

  remove(path: string): this {
    rmSync(this.path(path), { recursive: true });
    return this;
  }

  path(path: string): string {
    return join(this.root, path);
  }

  git(...args: readonly string[]): string {
    const identity = [
      '-c',
      'user.name=Test',
      '-c',
      'user.email=test@example.com',
      '-c',
      'commit.gpgsign=false',
      // Git would start another process after each commit.
      '-c',
      'maintenance.auto=false',
    ];
    // Git's messages become part of the error.
    return execFileSync('git', [...identity, ...args], { cwd: this.root, stdio: 'pipe' })
      .toString()
      .trim();
  }

  /** Commits everything and tags the commit. */
  commit(tag: string): this {
    // Without a template, there are no sample hooks to copy.
    if (!existsSync(this.path('.git'))) this.git('init', '--quiet', '--template=');
    this.git('add', '--all');
    this.git('commit', '--quiet', '--message', tag);
    this.git('tag', tag);
    return this;
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
