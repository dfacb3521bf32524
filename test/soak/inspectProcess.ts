import { EventEmitter } from 'node:events';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { type Runtime, Session } from 'node:inspector/promises';
import process from 'node:process';

type Counts = Readonly<Record<string, number>>;

interface ReachableObjects {
  /** Timers that have not fired, including those that do not keep the process running. */
  readonly timers: number;
  /** Listeners of emitters and event targets, by class and event. */
  readonly listeners: Counts;
}

/** What a process holds, after a garbage collection. */
export interface ProcessState extends ReachableObjects {
  /** Bytes of the JavaScript heap, and of the buffers outside of it. */
  readonly heap: number;
  readonly buffers: number;
  readonly rss: number;
  /** File descriptors that are sockets. */
  readonly sockets: number;
  /** What keeps the event loop running, by kind. */
  readonly resources: Counts;
  /** Seconds of processor time since the start. */
  readonly cpu: number;
}

const session = new Session();
session.connect();

// The debugger runs this function with an array of all objects as `this`. It reads the fields in which Node stores
// listeners and the state of timers, because there is no public list of either.
const countObjects = `function () {
  const { Timeout, EventEmitter } = inspectedClasses;
  const listeners = {};
  let timers = 0;
  const add = (object, name, count) => {
    const key = object.constructor?.name + '.' + String(name);
    if (count > 0) listeners[key] = (listeners[key] ?? 0) + count;
  };
  for (const object of this) {
    if (object instanceof Timeout) {
      if (object._idleTimeout > 0 && !object._destroyed) timers += 1;
    } else if (object instanceof EventEmitter) {
      const events = Object.hasOwn(object, '_events') ? (object._events ?? {}) : {};
      for (const name of Reflect.ownKeys(events)) {
        add(object, name, Array.isArray(events[name]) ? events[name].length : 1);
      }
    } else if (object instanceof EventTarget) {
      const symbol = Object.getOwnPropertySymbols(object).find(({ description }) => description === 'kEvents');
      if (symbol !== undefined) object[symbol]?.forEach(({ size }, name) => add(object, name, size));
    }
  }
  return { timers, listeners };
}`;

/** Collects garbage, and counts what is reachable then. */
async function countReachableObjects(): Promise<ReachableObjects> {
  const objectGroup = 'inspectProcess';
  const evaluated = await session.post('Runtime.evaluate', { expression: 'Object.prototype', objectGroup });
  const prototypeObjectId = evaluated.result.objectId as string;
  // One query for all, since each walks through the whole heap. The types of this method lack its result.
  const queried: unknown = await session.post('Runtime.queryObjects', { prototypeObjectId, objectGroup });
  const { objectId = '' } = (queried as Runtime.QueryObjectsReturnType).objects;
  const timer = setTimeout(() => {}, 0);
  clearTimeout(timer);
  Object.assign(globalThis, { inspectedClasses: { Timeout: timer.constructor, EventEmitter } });
  const called = await session.post('Runtime.callFunctionOn', {
    functionDeclaration: countObjects,
    objectId,
    returnByValue: true,
  });
  await session.post('Runtime.releaseObjectGroup', { objectGroup });
  if (called.exceptionDetails !== undefined) throw new Error(JSON.stringify(called.exceptionDetails));
  return called.result.value;
}

/** Takes about a second of processor time. */
export async function inspectProcess(): Promise<ProcessState> {
  const objects = await countReachableObjects();
  await session.post('HeapProfiler.collectGarbage');
  const { heapUsed, external, rss } = process.memoryUsage();
  const { user, system } = process.cpuUsage();
  const resources = Object.groupBy(process.getActiveResourcesInfo(), (kind) => kind);
  return {
    ...objects,
    heap: heapUsed,
    buffers: external,
    rss,
    sockets: countSockets(),
    resources: Object.fromEntries(Object.entries(resources).map(([kind, all = []]) => [kind, all.length])),
    cpu: (user + system) / 1e6,
  };
}

function countSockets(): number {
  const folder = '/proc/self/fd';
  // Elsewhere than on Linux, only `resources` has the sockets.
  if (!existsSync(folder)) return 0;
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
