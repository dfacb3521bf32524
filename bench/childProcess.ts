import type { ChildProcess } from 'node:child_process';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { createInterface } from 'node:readline';

/** The core that a process is pinned to. The target has a core of its own, so that the load takes none of its
 *  time. */
type Core = 'target' | 'load' | 'any';

const canPin = availableParallelism() > 1 && spawnSync('taskset', ['--version']).status === 0;
const coreNumber = { target: 0, load: 1 } as const;

/** The length of a child's standard error that the message about its end contains. */
const maxReportedErrorChars = 4000;

export interface Child {
  readonly pid: number;
  readonly process: ChildProcess;
  /** Rejects when the child ends before `stop`. Never resolves. */
  readonly ended: Promise<never>;
  stop(): Promise<void>;
}

interface ChildOptions {
  readonly core: Core;
  /** By default, the Node of this process. */
  readonly executable?: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly ipc?: boolean;
}

const runningChildren = new Set<ChildProcess>();

// When this process ends, however it ends, its children end too.
process.once('exit', () => {
  for (const child of runningChildren) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));

/** The core of the target; `undefined` where processes cannot be pinned. */
export const targetCore = canPin ? coreNumber.target : undefined;

/** Options with which `redis-server` runs on the core of the load. Otherwise, Linux tends to run it on the core of the target,
 *  whose commands wake it. */
export const redisOptions: readonly string[] = canPin ? ['--server-cpulist', String(coreNumber.load)] : [];

/** Starts a program, by default on the same Node as this process. */
export function startChild(
  name: string,
  { core, executable = process.execPath, args, env = {}, ipc = false }: ChildOptions,
): Child {
  const pin = canPin && core !== 'any' ? ['taskset', '--cpu-list', String(coreNumber[core])] : [];
  const [command = executable, ...rest] = [...pin, executable, ...args];
  const child = spawn(command, rest, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe', ...(ipc ? (['ipc'] as const) : [])],
  });
  let errors = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    errors = (errors + chunk.toString()).slice(-maxReportedErrorChars);
  });
  child.stdout?.resume();
  runningChildren.add(child);
  child.once('close', () => runningChildren.delete(child));
  let stopping = false;
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const ended = new Promise<never>((_, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      if (!stopping) reject(new Error(`${name} ended by itself (${code ?? signal})\n${errors}`));
    });
  });
  ended.catch(() => {});
  if (child.pid === undefined) throw new Error(`${name} could not be started: ${command}`);
  return {
    pid: child.pid,
    process: child,
    ended,
    async stop() {
      stopping = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGTERM');
      // How long a target drains is not measured here.
      const timer = setTimeout(() => child.kill('SIGKILL'), 3000);
      await exited;
      clearTimeout(timer);
    },
  };
}

/** The first line of a child's standard output; rejects when the child ends before. */
export async function firstLineOf({ process: { stdout }, ended }: Child): Promise<string> {
  if (stdout === null) throw new Error('The process has no standard output');
  const [line] = await Promise.race([once(createInterface({ input: stdout }), 'line'), ended]);
  return String(line);
}
