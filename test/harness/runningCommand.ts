import type { StdioOptions } from 'node:child_process';
import { NodeProcess } from './nodeProcess.ts';

const cli = new URL('../../gateway/cli.ts', import.meta.url).pathname;
export const launcher = new URL('../../gateway/cli/launch.js', import.meta.url).pathname;

/** `serve` restarts itself to set this option of Node, which takes 0.2 s of CPU time. */
const withoutRestart = { NODE_OPTIONS: '--max-semi-space-size=64' };

/** `tributary <args>` in a process of its own. `entry`: the program, for one that starts the command. */
export class RunningCommand extends NodeProcess {
  constructor(
    cwd: string,
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    entry = cli,
    stdio: StdioOptions = 'pipe',
  ) {
    super([entry, ...args], { cwd, env: { ...withoutRestart, ...env }, stdio });
  }

  /** Resolves with the URL of the GraphQL route when both listeners are open. */
  async url(): Promise<string> {
    const [match] = await this.printed('stdout', /listens on (\S+)[\s\S]*Admin listener on \S+\n/);
    return match?.[1] ?? '';
  }
}
