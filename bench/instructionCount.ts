import { spawn, spawnSync } from 'node:child_process';

const event = 'instructions:u';

let canCount: boolean | undefined;

interface InstructionCount {
  /** Resolves with the instructions since the start; `undefined` if they were not counted. */
  stop(): Promise<number | undefined>;
}

/** Counts the instructions of a process and its threads with `perf stat`. Virtual machines often have no counters:
 *  then nothing is started. */
export function startInstructionCount(pid: number): InstructionCount | undefined {
  canCount ??=
    parsePerfStat(spawnSync('perf', [...statArgs, 'true'], { encoding: 'utf8' }).stderr) !== undefined;
  if (!canCount) return undefined;
  const perf = spawn('perf', [...statArgs, '--pid', String(pid)], { stdio: ['ignore', 'ignore', 'pipe'] });
  let output = '';
  perf.stderr.on('data', (chunk: Buffer) => {
    output += chunk.toString();
  });
  const ended = new Promise<void>((resolve) => perf.once('close', () => resolve()));
  return {
    async stop() {
      perf.kill('SIGINT');
      await ended;
      return parsePerfStat(output);
    },
  };
}

const statArgs = ['stat', '--field-separator', ',', '--event', event];

/** @param output of `perf stat`; `undefined` if there is no such command */
export function parsePerfStat(output: string | undefined | null): number | undefined {
  const count = /^(\d+),[^,]*,instructions:u,/m.exec(output ?? '')?.[1];
  return count === undefined ? undefined : Number(count);
}
