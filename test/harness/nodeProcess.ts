import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { Changes } from './changes.ts';
import type { CommandOutcome } from './commandInProcess.ts';

/** Without the resolution of symbolic links, of which the modules have none, a gateway needs a seventh less CPU time to
 *  start. */
const withoutRealPaths = '--preserve-symlinks --preserve-symlinks-main';

interface NodeProcessOptions {
  readonly cwd?: string;
  /** Extends the environment of this process without its `NODE_OPTIONS`. */
  readonly env?: Readonly<Record<string, string>>;
  readonly stdio?: StdioOptions;
}

/** A process that runs Node, and what it prints. */
export class NodeProcess implements AsyncDisposable {
  readonly child: ChildProcess;
  /** Resolves when every process with the pipes of this one has ended, including workers. */
  readonly ended: Promise<CommandOutcome>;
  stdout = '';
  stderr = '';
  /** Both, in the order of their arrival. */
  output = '';
  readonly #changes = new Changes();

  constructor(args: readonly string[], { cwd, env, stdio = 'pipe' }: NodeProcessOptions = {}) {
    const NODE_OPTIONS = `${withoutRealPaths} ${env?.NODE_OPTIONS ?? ''}`;
    this.child = spawn(process.execPath, args, { cwd, env: { ...process.env, ...env, NODE_OPTIONS }, stdio });
    for (const name of ['stdout', 'stderr'] as const) {
      this.child[name]?.setEncoding('utf8').on('data', (text: string) => {
        this[name] += text;
        this.output += text;
        this.#changes.notify();
      });
    }
    this.ended = once(this.child, 'close').then(([code]) => ({
      code,
      stdout: this.stdout,
      stderr: this.stderr,
    }));
  }

  /** Resolves with the matches of a pattern when there are `count` of them.
   *  @throws {Error} with the output if the process ends before. */
  async printed(
    name: 'stdout' | 'stderr' | 'output',
    pattern: RegExp,
    count = 1,
  ): Promise<RegExpExecArray[]> {
    const all = new RegExp(pattern, `${pattern.flags.replace('g', '')}g`);
    const matches = (): RegExpExecArray[] => [...this[name].matchAll(all)];
    const seen = this.#changes.until(() => matches().length >= count);
    const over = this.ended.then(({ code }) => {
      throw new Error(`The process ended with ${code} before ${pattern}:\n${this.output}`);
    });
    await Promise.race([seen, over]);
    return matches();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.child.kill('SIGKILL');
    await this.ended;
  }
}
