import { pino } from 'pino';
import { RedisStore, type RedisStoreOptions } from '../../gateway/cache/store/redisStore.ts';
import { type StoreProblemKind, StoreProblems } from '../../gateway/cache/store/storeProblems.ts';
import { TieredStore } from '../../gateway/cache/store/tieredStore.ts';
import { parseConfig } from '../../gateway/config/parseConfig.ts';
import type { GatewayOptions } from '../../gateway/config/schema.ts';
import { systemTimers, type Timers } from '../../gateway/time/timers.ts';
import { createManualTimers, type ManualTimers } from './manualTimers.ts';

export function parseRedisConfig(redis: GatewayOptions['redis']) {
  return parseConfig({ supergraph: { file: 'unused' }, redis }).redis;
}

/** For tests in which a connection is not to be lost: after the usual half second of silence it would be, on a machine
 *  that stands still for so long, and with it what the test has just written or claimed. */
export const longRedisTimeouts = { connect: '1m', socket: '1m' } as const;

/** For tests in which a connection is to be found out to hang: still longer than a busy machine stands still. */
export const shortSocketTimeout = { ...longRedisTimeouts, socket: '2s' } as const;

export type TestRedisConfig = ReturnType<typeof parseRedisConfig>;

/** How often something has happened, for those who wait for the next time. */
export class EventCounter {
  #count = 0;
  readonly #waiting: (() => void)[] = [];

  readonly increment = (): void => {
    this.#count += 1;
    for (const resolve of this.#waiting.splice(0)) resolve();
  };

  get count(): number {
    return this.#count;
  }

  waitForNext(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async waitForCount(count: number): Promise<void> {
    while (this.#count < count) await this.waitForNext();
  }
}

interface RedisStoreFixture {
  readonly options: RedisStoreOptions;
  readonly problems: StoreProblems;
  readonly logLines: readonly Record<string, unknown>[];
  readonly readyEvents: EventCounter;
  readonly heardInvalidations: EventCounter;
  readonly invalidations: EventCounter;
  readonly problemEvents: EventCounter;
  /** Fires what a store waits for at most: deadlines of reads (`config.timeouts.read`) and of invalidations. Other
   *  waits take their real time. */
  readonly deadlines: ManualTimers;
}

/** What a store on Redis is made of, with its deadlines in the hands of the test. */
export function createRedisStoreFixture(config: TestRedisConfig, now: () => number): RedisStoreFixture {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: 'trace', base: null }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const [ready, heard, invalidated] = [new EventCounter(), new EventCounter(), new EventCounter()];
  const problem = new EventCounter();
  const deadlines = createManualTimers();
  const problems = new StoreProblems({ log, now });
  const report = problems.report.bind(problems);
  problems.report = (...args) => {
    report(...args);
    problem.increment();
  };
  const { read, invalidation } = config.timeouts;
  const timers: Timers = {
    now: systemTimers.now,
    after: (ms, run) =>
      ms === read || ms === invalidation ? deadlines.after(ms, run) : systemTimers.after(ms, run),
  };
  const options: RedisStoreOptions = {
    config,
    problems,
    now,
    timers,
    onReady: ready.increment,
    onInvalidated: invalidated.increment,
    onInvalidationsResumed: heard.increment,
  };
  return {
    options,
    problems,
    logLines: lines,
    readyEvents: ready,
    heardInvalidations: heard,
    invalidations: invalidated,
    problemEvents: problem,
    deadlines,
  };
}

/** A store that is ready to take entries, and hears of invalidations. */
export async function openRedisStore(config: TestRedisConfig, now: () => number) {
  const parts = createRedisStoreFixture(config, now);
  return waitUntilReady(parts, new RedisStore(parts.options));
}

/** The same with memory in front. */
export async function openTieredStore(config: TestRedisConfig, now: () => number) {
  const parts = createRedisStoreFixture(config, now);
  return waitUntilReady(parts, new TieredStore({ ...parts.options, maxSize: 64 * 1024 ** 2 }));
}

async function waitUntilReady<Store extends RedisStore | TieredStore>(
  parts: RedisStoreFixture,
  store: Store,
) {
  await Promise.all([parts.readyEvents.waitForCount(1), parts.heardInvalidations.waitForCount(1)]);
  return {
    ...parts,
    store,
    waitForWrites: () => store.awaitWrites(),
    [Symbol.asyncDispose]: () => store.close(),
  };
}

/** Resolves when a problem of this kind has been counted. */
export async function waitForProblem(
  { problems, problemEvents }: RedisStoreFixture,
  kind: StoreProblemKind,
): Promise<void> {
  while (!problems.counts.has(kind)) await problemEvents.waitForNext();
}
