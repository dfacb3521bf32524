import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type StoreSize, writeSyntheticStore } from './contracts/syntheticStore.ts';
import { treeCpuMs, treePeakRssMib } from './processTree.ts';

// Measures `tributary contracts check` on a large store in which every subgraph has changed: the complete command, as
// users start it, with Node's own limits.

const { values } = parseArgs({
  options: {
    subgraphs: { type: 'string', default: '20' },
    types: { type: 'string', default: '1000' },
    operations: { type: 'string', default: '1000' },
    /** The directory that keeps the two stores. By default, a temporary directory that is removed. */
    keep: { type: 'string' },
  },
});
const size: StoreSize = {
  subgraphs: Number(values.subgraphs),
  types: Number(values.types),
  operations: Number(values.operations),
};

const directory = values.keep ?? mkdtempSync(join(tmpdir(), 'tributary-bench-contracts-'));
try {
  const [agreed, next] = [join(directory, 'agreed'), join(directory, 'next')];
  writeSyntheticStore(agreed, size, 'agreed');
  writeSyntheticStore(next, size, 'next');
  const report = join(directory, 'report.json');
  const { seconds, cpuSeconds, peakRssMib, exitCode } = await check(
    ['--directory', next, '--against', agreed],
    report,
  );
  console.log(
    [
      `Node ${process.version}, ${availableParallelism()} cores`,
      '',
      '| subgraphs | types | operations | seconds | CPU seconds | peak RSS MiB | exit code |',
      '| --- | --- | --- | --- | --- | --- | --- |',
      `| ${size.subgraphs} | ${size.types} | ${size.operations} | ${seconds.toFixed(1)} | ${cpuSeconds.toFixed(1)} | ${peakRssMib.toFixed(0)} | ${exitCode} |`,
    ].join('\n'),
  );
  // A check that could not run has measured nothing.
  if (exitCode !== 0 && exitCode !== 1) process.exitCode = 1;
} finally {
  if (values.keep === undefined) rmSync(directory, { recursive: true });
}

interface Measured {
  readonly seconds: number;
  /** Includes all threads. */
  readonly cpuSeconds: number;
  readonly peakRssMib: number;
  readonly exitCode: number | null;
}

/** Shows the progress of the command as it arrives. */
async function check(args: readonly string[], out: string): Promise<Measured> {
  const cli = new URL('../gateway/cli.ts', import.meta.url).pathname;
  const started = performance.now();
  const child = spawn(
    process.execPath,
    [cli, 'contracts', 'check', ...args, '--format', 'json', '--out', out],
    {
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  const { pid } = child;
  if (pid === undefined) throw new Error('`tributary contracts check` could not be started.');
  // The kernel has both values as long as the process exists.
  let last = { cpuSeconds: 0, peakRssMib: 0 };
  const watch = setInterval(() => {
    const { cpuSeconds, peakRssMib } = readUsage(pid) ?? last;
    // A process that is ending has no memory any more.
    last = { cpuSeconds, peakRssMib: Math.max(last.peakRssMib, peakRssMib) };
  }, 50);
  const exitCode = await new Promise<number | null>((resolve) => child.once('exit', resolve));
  clearInterval(watch);
  return { seconds: (performance.now() - started) / 1000, ...last, exitCode };
}

/** Returns `undefined` for a process that has ended. */
function readUsage(pid: number): Pick<Measured, 'cpuSeconds' | 'peakRssMib'> | undefined {
  try {
    return { cpuSeconds: treeCpuMs(pid) / 1000, peakRssMib: treePeakRssMib(pid) };
  } catch {
    return undefined;
  }
}
