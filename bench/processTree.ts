import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

interface ProcessStat {
  readonly pid: number;
  readonly parentPid: number;
  readonly cpuTicks: number;
}

/** The user and system time of a process with all its threads and living descendants, in milliseconds. The kernel
 *  counts in ticks, usually of 10 ms. */
export function treeCpuMs(rootPid: number): number {
  const ticks = tree(rootPid).reduce((sum, { cpuTicks }) => sum + cpuTicks, 0);
  return (ticks * 1000) / ticksPerSecond;
}

/** The sum of the peak resident memory of each process since its start, in MiB. */
export function treePeakRssMib(rootPid: number): number {
  const peaks = tree(rootPid).map(({ pid }) => {
    const kib = /^VmHWM:\s+(\d+) kB$/m.exec(readProc(`${pid}/status`) ?? '')?.[1];
    return Number(kib ?? 0) / 1024;
  });
  return peaks.reduce((sum, peak) => sum + peak, 0);
}

/** The resident memory of each process now, summed up, in MiB. */
export function treeRssMib(rootPid: number): number {
  const sizes = tree(rootPid).map(({ pid }) => {
    const kib = /^VmRSS:\s+(\d+) kB$/m.exec(readProc(`${pid}/status`) ?? '')?.[1];
    return Number(kib ?? 0) / 1024;
  });
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** The open sockets of each process now, summed up. */
export function treeSocketCount(rootPid: number): number {
  return tree(rootPid)
    .flatMap(({ pid }) => readdirSync(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`))
    .filter((path) => isSocket(path)).length;
}

function isSocket(path: string): boolean {
  try {
    return readlinkSync(path).startsWith('socket:');
  } catch {
    // It was closed meanwhile.
    return false;
  }
}

/** The time that a core was not idle since the machine started, in milliseconds; 0 without a core. */
export function busyMs(core: number | undefined): number {
  if (core === undefined) return 0;
  const line = (readProc('stat') ?? '').split('\n').find((candidate) => candidate.startsWith(`cpu${core} `));
  const [user = 0, nice = 0, system = 0, , , irq = 0, softIrq = 0, steal = 0] = (line ?? '')
    .split(/\s+/)
    .slice(1)
    .map(Number);
  return ((user + nice + system + irq + softIrq + steal) * 1000) / ticksPerSecond;
}

function tree(rootPid: number): ProcessStat[] {
  const all = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => readStat(Number(name)))
    .filter((stat) => stat !== undefined);
  const members = new Map(all.filter(({ pid }) => pid === rootPid).map((stat) => [stat.pid, stat]));
  if (members.size === 0) throw new Error(`Process ${rootPid} has ended.`);
  for (let size = 0; size !== members.size; ) {
    size = members.size;
    for (const stat of all) if (members.has(stat.parentPid)) members.set(stat.pid, stat);
  }
  return [...members.values()];
}

function readStat(pid: number): ProcessStat | undefined {
  const stat = readProc(`${pid}/stat`);
  if (stat === undefined) return undefined;
  // The second field, the command's name, may contain spaces and parentheses; so fields are counted after its end.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { pid, parentPid: Number(fields[1]), cpuTicks: Number(fields[11]) + Number(fields[12]) };
}

/** Returns `undefined` for a process that has ended meanwhile. */
function readProc(path: string): string | undefined {
  try {
    return readFileSync(`/proc/${path}`, 'utf8');
  } catch {
    return undefined;
  }
}
