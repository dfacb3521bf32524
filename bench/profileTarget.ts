import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** Where the time and the memory of a target's requests go: the functions that take most themselves, without those that they
 *  call. */
export interface TargetProfile {
  readonly cpu: readonly ProfiledFunction[];
  readonly allocations: readonly ProfiledFunction[];
}

export interface ProfiledFunction {
  readonly name: string;
  /** File and line; empty for what V8 counts outside of functions. */
  readonly place: string;
  /** Its part of all CPU time, or of all allocated bytes, from 0 to 1. */
  readonly share: number;
}

/** The part of V8's CPU and allocation profiles that is read here. */
interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  /** From 0. */
  readonly lineNumber: number;
}

interface CpuProfile {
  readonly nodes: readonly { readonly callFrame: CallFrame; readonly hitCount: number }[];
}

interface AllocationProfile {
  readonly head: AllocationNode;
}

interface AllocationNode {
  readonly callFrame: CallFrame;
  readonly selfSize: number;
  readonly children: readonly AllocationNode[];
}

const listedFunctions = 30;
const cpuIntervalMicroseconds = 500;
/** Collected objects count too: what matters is what is allocated. */
const allocationSampling = {
  samplingInterval: 64 * 1024,
  includeObjectsCollectedByMajorGC: true,
  includeObjectsCollectedByMinorGC: true,
};

interface ProfiledProcess {
  readonly pid: number;
  readonly inspectorPort: number;
  /** Runs while the process is profiled, once for each kind of profile. */
  readonly load: () => Promise<unknown>;
  /** The path of the files with the profiles, without their endings. */
  readonly files: string;
}

/** @throws {Error} if the process opens no inspector, or the load fails */
export async function profileTarget({
  pid,
  inspectorPort,
  load,
  files,
}: ProfiledProcess): Promise<TargetProfile> {
  // Opens the inspector of a Node process.
  process.kill(pid, 'SIGUSR1');
  using inspector = await connect(inspectorPort);
  await inspector.send('Profiler.enable');
  await inspector.send('Profiler.setSamplingInterval', { interval: cpuIntervalMicroseconds });
  await inspector.send('Profiler.start');
  await load();
  const { profile: cpu } = await inspector.send<{ profile: CpuProfile }>('Profiler.stop');
  await inspector.send('HeapProfiler.startSampling', allocationSampling);
  await load();
  const { profile: allocations } = await inspector.send<{ profile: AllocationProfile }>(
    'HeapProfiler.stopSampling',
  );
  mkdirSync(dirname(files), { recursive: true });
  writeFileSync(`${files}.cpuprofile`, JSON.stringify(cpu));
  writeFileSync(`${files}.heapprofile`, JSON.stringify(allocations));
  return { cpu: summarizeCpu(cpu), allocations: summarizeAllocations(allocations) };
}

export function summarizeCpu({ nodes }: CpuProfile): ProfiledFunction[] {
  const busy = nodes.filter(({ callFrame }) => !/^\((idle|root)\)$/.test(callFrame.functionName));
  return largest(busy.map(({ callFrame, hitCount }) => ({ callFrame, amount: hitCount })));
}

export function summarizeAllocations({ head }: AllocationProfile): ProfiledFunction[] {
  const all: { callFrame: CallFrame; amount: number }[] = [];
  const waiting = [head];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    all.push({ callFrame: node.callFrame, amount: node.selfSize });
    waiting.push(...node.children);
  }
  return largest(all);
}

/** A function appears once for each of its callers in a profile, and once in the result. */
function largest(parts: readonly { callFrame: CallFrame; amount: number }[]): ProfiledFunction[] {
  const amounts = new Map<string, { name: string; place: string; amount: number }>();
  for (const { callFrame, amount } of parts) {
    const name = callFrame.functionName || '(anonymous)';
    const place = placeOf(callFrame);
    const known = amounts.get(`${name} ${place}`);
    if (known === undefined) amounts.set(`${name} ${place}`, { name, place, amount });
    else known.amount += amount;
  }
  const total = parts.reduce((sum, { amount }) => sum + amount, 0);
  return [...amounts.values()]
    .filter(({ amount }) => amount > 0)
    .sort((a, b) => b.amount - a.amount)
    .slice(0, listedFunctions)
    .map(({ name, place, amount }) => ({ name, place, share: amount / total }));
}

/** File and line; of a bundle of the built package the source file alone, which the bundle names above its code. */
function placeOf({ url, lineNumber }: CallFrame): string {
  if (url === '') return '';
  const lines = url.startsWith('file:') && url.endsWith('.js') ? linesOf(fileURLToPath(url)) : [];
  const source = lines.slice(0, lineNumber).findLast((line) => sourceComment.test(line));
  return source?.replace(sourceComment, '$1') ?? `${shortPath(url)}:${lineNumber + 1}`;
}

const bundles = new Map<string, readonly string[]>();

function linesOf(file: string): readonly string[] {
  const known = bundles.get(file) ?? readFileSync(file, 'utf8').split('\n');
  bundles.set(file, known);
  return known;
}

const sourceComment = /^\/\/ ((?:gateway|contracts)\/\S+\.ts)$/;

/** Relative to the repository. */
function shortPath(url: string): string {
  const path = url.startsWith('file:') ? fileURLToPath(url) : url;
  return path.startsWith('/') ? relative(join(import.meta.dirname, '..'), path) : path;
}

interface Inspector extends Disposable {
  /** @throws {Error} for a command that fails, or when the process ends */
  send<Result>(method: string, params?: object): Promise<Result>;
}

const connectAttempts = 100;
const connectPollMs = 50;

/** Connects to the inspector of a process that is opening it.
 *  @throws {Error} */
async function connect(port: number): Promise<Inspector> {
  const socket = new WebSocket(await inspectorUrl(port));
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  const opened = Promise.withResolvers<void>();
  socket.onopen = () => opened.resolve();
  socket.onclose = () => {
    const error = new Error('The process to profile has closed its inspector');
    opened.reject(error);
    for (const { reject } of waiting.values()) reject(error);
  };
  socket.onmessage = ({ data }) => {
    const { id, result, error } = JSON.parse(String(data)) as {
      id?: number;
      result?: unknown;
      error?: { message: string };
    };
    if (id === undefined) return;
    const command = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) command?.resolve(result);
    else command?.reject(new Error(error.message));
  };
  await opened.promise;
  let lastId = 0;
  return {
    send<Result>(method: string, params = {}) {
      const command = Promise.withResolvers<unknown>();
      lastId += 1;
      waiting.set(lastId, command);
      socket.send(JSON.stringify({ id: lastId, method, params }));
      return command.promise as Promise<Result>;
    },
    [Symbol.dispose]: () => socket.close(),
  };
}

async function inspectorUrl(port: number): Promise<string> {
  for (let attempt = 0; attempt < connectAttempts; attempt++) {
    const response = await fetch(`http://127.0.0.1:${port}/json/list`).catch(() => undefined);
    if (response?.ok) {
      const [target] = (await response.json()) as { webSocketDebuggerUrl: string }[];
      if (target !== undefined) return target.webSocketDebuggerUrl;
    }
    await delay(connectPollMs);
  }
  throw new Error(`No inspector has opened on port ${port}`);
}
