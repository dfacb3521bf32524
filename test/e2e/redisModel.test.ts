import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ReadVersion } from '../../gateway/cache/store/cacheStore.ts';
import { RedisKeys } from '../../gateway/cache/store/redisKeys.ts';
import {
  allocateSequence,
  deleteTaggedEntries,
  writeEntries,
} from '../../gateway/cache/store/redisScripts.ts';
import { TieredStore } from '../../gateway/cache/store/tieredStore.ts';
import { startPausableProxy } from '../harness/pausableProxy.ts';
import {
  createRedisStoreFixture,
  longRedisTimeouts,
  parseRedisConfig,
} from '../harness/redisStoreFixture.ts';
import { chooseSeeds } from '../harness/seeds.ts';
import { createCacheWrite, TestClock } from '../harness/storeConformance.ts';
import { startSuiteRedis } from '../harness/suiteRedis.ts';
import { waitUntil } from '../harness/waitUntil.ts';

const { server, redis } = await startSuiteRedis();

const keys = ['0', '1', '2', '3'] as const;
type Key = (typeof keys)[number];
const tagsOf = (key: Key): readonly string[] => [`parity ${Number(key) % 2}`, `key ${key}`, 'all'];
const tags = ['all', 'parity 0', 'parity 1', ...keys.map((key) => `key ${key}`)];

const replica = fc.integer({ min: 0, max: 1 });
const key = fc.constantFrom(...keys);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('fetch' as const), replica, key }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('store' as const), fetch: fc.nat(7) }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('invalidate' as const),
      replica,
      tag: fc.constantFrom(...tags),
    }),
  },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('read' as const), replica, key }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('settle' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pass time' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('connect or disconnect' as const), replica }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('hold or release' as const),
      replica,
      text: fc.constantFrom(allocateSequence.sha, deleteTaggedEntries.sha, writeEntries.sha, 'mget'),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('forget scripts', 'forget data', 'take snapshot', 'fail over' as const),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** A process with its connection to Redis. */
async function startReplica(keyPrefix: string, clock: TestClock) {
  const proxy = await startPausableProxy(server.port);
  const url = `redis://127.0.0.1:${proxy.port}`;
  const reconnect = { minDelay: '1ms', maxDelay: '2ms' };
  const config = parseRedisConfig({ url, keyPrefix, reconnect, timeouts: longRedisTimeouts });
  const fixture = createRedisStoreFixture(config, clock.now);
  const { now, after } = fixture.options.timers;
  const heard = new Set<string>();
  const store = new TieredStore({
    ...fixture.options,
    maxSize: 1_000_000,
    // The probes of circuit breakers need not wait.
    timers: { now, after: (ms, run) => after(ms === config.timeouts.socket ? 1 : ms, run) },
    onInvalidated: (invalidated) => {
      for (const tag of invalidated) heard.add(tag);
    },
  });
  const { readyEvents, heardInvalidations, deadlines } = fixture;
  /** Waits for one connection more than when it is called. */
  const waitForConnection = () =>
    Promise.all([readyEvents, heardInvalidations].map((events) => events.waitForCount(events.count + 1)));
  await waitForConnection();
  return {
    store,
    heard,
    /** Whether Redis gets its commands. */
    isConnected: true,
    isHeld: false,
    hold(text: string): void {
      void proxy.pauseAt(text);
      this.isHeld = true;
    },
    release(): void {
      // From now on nothing is held.
      void proxy.pauseAt('never sent');
      proxy.resume();
      this.isHeld = false;
    },
    async disconnect(): Promise<void> {
      this.release();
      this.isConnected = false;
      await proxy.setFault({ kind: 'refuse' });
      await waitUntil(() => proxy.openConnections === 0 && !(store.getMany(['absent']) instanceof Promise));
    },
    async connect(): Promise<void> {
      const connected = waitForConnection();
      await proxy.setFault({ kind: 'none' });
      await connected;
      this.isConnected = true;
    },
    async read(name: Key): Promise<string | undefined> {
      const entries = store.getMany([name]);
      if (this.isHeld && entries instanceof Promise) deadlines.fire(config.timeouts.read);
      return (await entries)[0]?.value;
    },
    async [Symbol.asyncDispose]() {
      await store.close();
      await proxy[Symbol.asyncDispose]();
    },
  };
}
type Replica = Awaited<ReturnType<typeof startReplica>>;

/** The values that were served although an invalidation that the process knows of forbids it. */
async function findOutdated(steps: readonly Step[]): Promise<readonly string[]> {
  const clock = new TestClock();
  const keyPrefix = randomUUID();
  await using started = new AsyncDisposableStack();
  const replicas = [
    started.use(await startReplica(keyPrefix, clock)),
    started.use(await startReplica(keyPrefix, clock)),
  ] as const;
  const versions: Record<Key, number> = { 0: 0, 1: 0, 2: 0, 3: 0 };
  const fetches: { replica: Replica; key: Key; version: number; since: ReadVersion }[] = [];
  /** `knownBy`: the processes that must not serve older values. */
  const invalidations: { tag: string; by: Replica; knownBy: Set<Replica>; least: typeof versions }[] = [];
  const outdated: string[] = [];
  let snapshot: (readonly [string, Buffer])[] = [];
  let settled = 0;

  /** Waits until every process that is connected has sent and received everything. */
  async function settle(): Promise<void> {
    const active = replicas.filter(({ isConnected, isHeld }) => isConnected && !isHeld);
    for (const { store } of active) {
      await store.awaitWrites();
      await waitUntil(() => !store.version.includes('.'));
    }
    const marker = `settled ${settled++}`;
    const { channel } = new RedisKeys(keyPrefix, 1);
    await redis.publish(channel, JSON.stringify({ from: 'model', tags: [marker], sequence: 0 }));
    for (const { heard } of active) await waitUntil(() => heard.has(marker));
    for (const { by, knownBy } of invalidations) {
      if (active.includes(by) || knownBy.size > 1) for (const one of active) knownBy.add(one);
    }
  }

  async function check(reader: Replica, name: Key): Promise<void> {
    const value = await reader.read(name);
    if (value === undefined) return;
    for (const { tag, knownBy, least } of invalidations) {
      if (knownBy.has(reader) && tagsOf(name).includes(tag) && Number(value) < least[name])
        outdated.push(`process ${replicas.indexOf(reader)}: ${name} = ${value} after ${tag}`);
    }
  }

  /** Disconnects the processes that are connected, and connects them again after `change`. */
  async function interrupt(change: () => Promise<void>): Promise<void> {
    const connected = replicas.filter(({ isConnected }) => isConnected);
    for (const one of connected) await one.disconnect();
    await change();
    for (const one of connected) await one.connect();
    await settle();
  }

  async function apply(chosen: Step): Promise<void> {
    const one = 'replica' in chosen ? (replicas[chosen.replica] as Replica) : replicas[0];
    switch (chosen.kind) {
      case 'fetch':
        fetches.push({
          replica: one,
          key: chosen.key,
          version: versions[chosen.key],
          since: one.store.beginRead(),
        });
        return;
      case 'store': {
        const [fetched] = fetches.splice(chosen.fetch, 1);
        if (fetched === undefined) return;
        const value = String(fetched.version);
        const write = createCacheWrite(clock, { key: fetched.key, value, tags: tagsOf(fetched.key) });
        fetched.replica.store.setMany([write], fetched.since);
        return;
      }
      case 'invalidate':
        for (const name of keys) if (tagsOf(name).includes(chosen.tag)) versions[name] += 1;
        invalidations.push({ tag: chosen.tag, by: one, knownBy: new Set([one]), least: { ...versions } });
        void one.store.deleteByTags([chosen.tag]);
        return;
      case 'read':
        return check(one, chosen.key);
      case 'settle':
        return settle();
      case 'pass time':
        clock.time += 500;
        return;
      case 'connect or disconnect':
        return one.isConnected ? one.disconnect() : one.connect();
      case 'hold or release':
        if (one.isHeld) one.release();
        else if (one.isConnected) one.hold(chosen.text);
        return;
      case 'forget scripts':
        await redis.script('FLUSH');
        return;
      case 'forget data':
        await redis.flushall();
        return;
      case 'take snapshot': {
        const names = await redis.keys(`*${keyPrefix}*`);
        snapshot = await Promise.all(
          names.map(async (name) => [name, await redis.dumpBuffer(name)] as const),
        );
        return;
      }
      case 'fail over':
        return interrupt(async () => {
          await redis.flushall();
          for (const [name, dump] of snapshot) await redis.restore(name, 0, dump);
        });
    }
  }

  for (const chosen of steps) await apply(chosen);
  for (const one of replicas) {
    one.release();
    if (!one.isConnected) await one.connect();
  }
  await settle();
  for (const one of replicas) for (const name of keys) await check(one, name);
  // Values are shared again.
  for (const [index, { store }] of replicas.entries()) {
    const other = replicas[1 - index] as Replica;
    await waitUntil(async () => {
      // Copies in memory expire.
      clock.time += 10_000;
      const write = createCacheWrite(clock, { key: '0', value: `${1_000 + index}`, tags: [] });
      store.setMany([write], store.beginRead());
      await settle();
      return (await other.read('0')) === write.value;
    });
  }
  return outdated;
}

const { first: seed, count } = chooseSeeds('FUZZ', { perRun: 12, pool: 199, long: 1_000 });

test(
  'two processes serve nothing that is older than an invalidation that they know of, in any order of faults of Redis',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60, size: 'max' }), async (steps) => {
        expect(await findOutdated(steps)).toEqual([]);
      }),
      // A smaller example takes minutes.
      { seed, numRuns: count, endOnFailure: true },
    );
  },
  60_000 + 2_000 * count,
);
