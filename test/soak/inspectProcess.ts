import { EventEmitter } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { type Runtime, Session } from 'node:inspector/promises';
import process from 'node:process';

type Counts = Readonly<Record<string, number>>;

/** What a process holds, after a garbage collection. */
export interface ProcessState {
  /** Bytes of the JavaScript heap, and of the buffers outside of it. */
  readonly heap: number;
  readonly buffers: number;
  readonly rss: number;
  /** File descriptors that are sockets. */
  readonly sockets: number;
  /** What keeps the event loop running, by kind. */
  readonly resources: Counts;
  /** Timers that have not fired, including those that do not keep the process running. */
  readonly timers: number;
  /** Listeners of all reachable emitters and event targets, by class and event. */
  readonly listeners: Counts;
  /** Seconds of processor time since the start. */
  readonly cpu: number;
}

const session = new Session();
session.connect();

/** Applies a function, given as text, to the array of all reachable objects that inherit from this prototype. */
async function evaluateAll<T>(prototype: object, functionDeclaration: string): Promise<T> {
  const objectGroup = 'inspectProcess';
  Object.assign(globalThis, { inspectedPrototype: prototype });
  const { result } = await session.post('Runtime.evaluate', {
    expression: 'inspectedPrototype',
    objectGroup,
  });
  const prototypeObjectId = result.objectId as string;
  // The types of this method lack its result.
  const queried: unknown = await session.post('Runtime.queryObjects', { prototypeObjectId, objectGroup });
  const { objectId = '' } = (queried as Runtime.QueryObjectsReturnType).objects;
  const called = await session.post('Runtime.callFunctionOn', {
    functionDeclaration,
    objectId,
    returnByValue: true,
  });
  if (called.exceptionDetails !== undefined) throw new Error(JSON.stringify(called.exceptionDetails));
  await session.post('Runtime.releaseObjectGroup', { objectGroup });
  return called.result.value;
}

const countTimers = `function () {
  return this.filter((timer) => timer._idleTimeout > 0 && !timer._destroyed).length;
}`;

// Both functions read the fields in which Node stores listeners: there is no public list of all events of a target.
const countEmitterListeners = `function () {
  const counts = {};
  for (const emitter of this) {
    const events = Object.hasOwn(emitter, '_events') ? (emitter._events ?? {}) : {};
    for (const name of Reflect.ownKeys(events)) {
      const key = emitter.constructor?.name + '.' + String(name);
      counts[key] = (counts[key] ?? 0) + (Array.isArray(events[name]) ? events[name].length : 1);
    }
  }
  return counts;
}`;

const countTargetListeners = `function () {
  const counts = {};
  for (const target of this) {
    const symbol = Object.getOwnPropertySymbols(target).find(({ description }) => description === 'kEvents');
    const events = symbol === undefined ? undefined : target[symbol];
    if (typeof events?.forEach !== 'function') continue;
    events.forEach(({ size }, name) => {
      const key = target.constructor?.name + '.' + String(name);
      if (size > 0) counts[key] = (counts[key] ?? 0) + size;
    });
  }
  return counts;
}`;

/** Collects garbage, and counts what is left. It takes a few hundred milliseconds. */
export async function inspectProcess(): Promise<ProcessState> {
  const timer = setTimeout(() => {}, 0);
  clearTimeout(timer);
  const timers = await evaluateAll<number>(Object.getPrototypeOf(timer), countTimers);
  const listeners = {
    ...(await evaluateAll<Counts>(EventEmitter.prototype, countEmitterListeners)),
    ...(await evaluateAll<Counts>(EventTarget.prototype, countTargetListeners)),
  };
  await session.post('HeapProfiler.collectGarbage');
  const { heapUsed, external, rss } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  return {
    heap: heapUsed,
    buffers: external,
    rss,
    sockets: countSockets(),
    resources: Object.fromEntries(
      Object.entries(Object.groupBy(process.getActiveResourcesInfo(), (kind) => kind)).map(
        ([kind, all = []]) => [kind, all.length],
      ),
    ),
    timers,
    listeners,
    cpu: (user + system) / 1e6,
  };
}

function countSockets(): number {
  const folder = '/proc/self/fd';
  const targets = readdirSync(folder).map((name) => {
    try {
      return readlinkSync(`${folder}/${name}`);
    } catch {
      // The descriptor with which the folder was read.
      return '';
    }
  });
  return targets.filter((target) => target.startsWith('socket:')).length;
}
