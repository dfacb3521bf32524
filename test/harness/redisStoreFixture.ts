import { pino } from 'pino';
import type { CacheStore } from '../../gateway/cache/store/cacheStore.ts';
import { RedisStore, type RedisStoreOptions } from '../../gateway/cache/store/redisStore.ts';
import type { StoreProblemKind, StoreProblems } from '../../gateway/cache/store/storeProblems.ts';
import { TieredStore } from '../../gateway/cache/store/tieredStore.ts';
import { parseConfig } from '../../gateway/config/parseConfig.ts';
import type { GatewayOptions } from '../../gateway/config/schema.ts';
import { ProblemLog } from '../../gateway/telemetry/problemLog.ts';
import { systemTimers, type Timers } from '../../gateway/time/timers.ts';
import { FakeTimers } from './fakeTimers.ts';

export function parseRedisConfig(redis: GatewayOptions['redis']) {
  return parseConfig({ supergraph: { file: 'unused' }, redis }).redis;
}

/** For tests that must not lose their connection. With the default timeout of half a second, a stalled test machine would
 *  lose it, and with it pending writes and claims. */
export const longRedisTimeouts = { connect: '1m', socket: '1m' } as const;

/** For tests that detect a hanging connection. Still longer than a busy test machine stalls. */
export const shortSocketTimeout = { ...longRedisTimeouts, socket: '2s' } as const;

export type TestRedisConfig = ReturnType<typeof parseRedisConfig>;

/** Counts events, and lets tests wait for the next one. */
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
  /** Fires the timeouts of reads (`config.timeouts.read`) and of invalidations. Other timers take real time. */
  readonly deadlines: FakeTimers;
}

/** Creates the options of a Redis store, with timeouts that the test fires. */
export function createRedisStoreFixture(config: TestRedisConfig, now: () => number): RedisStoreFixture {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ level: 'trace', base: null }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const [ready, heard, invalidated] = [new EventCounter(), new EventCounter(), new EventCounter()];
  const problem = new EventCounter();
  const deadlines = new FakeTimers();
  const problems: StoreProblems = new ProblemLog({ log, now, message: 'a problem' });
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

/** Opens a store, and waits until it accepts writes and receives invalidations. */
export async function openRedisStore(config: TestRedisConfig, now: () => number) {
  const fixture = createRedisStoreFixture(config, now);
  return waitUntilReady(fixture, new RedisStore(fixture.options));
}

/** Like `openRedisStore`, with a store in memory in front. */
export async function openTieredStore(config: TestRedisConfig, now: () => number) {
  const fixture = createRedisStoreFixture(config, now);
  return waitUntilReady(fixture, new TieredStore({ ...fixture.options, maxSize: 64 * 1024 ** 2 }));
}

async function waitUntilReady<Store extends RedisStore | TieredStore>(
  fixture: RedisStoreFixture,
  store: Store,
) {
  await Promise.all([fixture.readyEvents.waitForCount(1), fixture.heardInvalidations.waitForCount(1)]);
  return {
    ...fixture,
    store,
    waitForWrites: () => store.awaitWrites(),
    [Symbol.asyncDispose]: () => store.close(),
  };
}

/** Resolves when a problem of this kind was reported. */
export async function waitForProblem(
  { problems, problemEvents }: RedisStoreFixture,
  kind: StoreProblemKind,
): Promise<void> {
  while (!problems.counts.has(kind)) await problemEvents.waitForNext();
}

/** The values that a store has for these keys. */
export async function valuesOf(store: CacheStore, ...keys: readonly string[]) {
  return (await store.getMany(keys)).map((found) => found?.value);
}
