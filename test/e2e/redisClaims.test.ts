import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { RedisKeys } from '../../gateway/cache/store/redisKeys.ts';
import { RedisStore } from '../../gateway/cache/store/redisStore.ts';
import { TieredStore } from '../../gateway/cache/store/tieredStore.ts';
import { systemTimers, type Timers } from '../../gateway/time/timers.ts';
import { FakeTimers } from '../harness/fakeTimers.ts';
import { startPausableProxy } from '../harness/pausableProxy.ts';
import {
  connectRedis,
  downloadTimeoutMs,
  type RedisCluster,
  startDedicatedRedis,
  startRedisCluster,
} from '../harness/redis.ts';
import {
  createRedisStoreFixture,
  longRedisTimeouts,
  openRedisStore,
  parseRedisConfig,
  type TestRedisConfig,
  waitForProblem,
} from '../harness/redisStoreFixture.ts';
import { createCacheWrite, TestClock } from '../harness/storeConformance.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';
import { waitUntil } from '../harness/waitUntil.ts';

const server = disposeAfterSuite(await startDedicatedRedis());

const clock = new TestClock();
const entry = (options: Parameters<typeof createCacheWrite>[1] = {}) => createCacheWrite(clock, options);
const { signal } = new AbortController();
const longMs = 600_000;

/** The configuration that two processes share. A hanging connection hangs until the test resumes it. */
function sharedConfig(config: Parameters<typeof parseRedisConfig>[0] = {}) {
  const timeouts = { ...longRedisTimeouts, heartbeat: '1m' };
  return parseRedisConfig({ url: server.url, keyPrefix: randomUUID(), timeouts, ...config });
}

/** Loads the scripts of claims into Redis: an unknown script is sent a second time, after later commands. */
async function teachScripts(config: TestRedisConfig, keys: readonly string[]): Promise<void> {
  await using opened = await openRedisStore(config, clock.now);
  await opened.store.claim(keys, longMs);
  opened.store.release(keys, 0);
  for (const key of keys) await opened.store.awaitClaimHolder(key, longMs, signal);
}

await teachScripts(sharedConfig(), ['key']);

async function askRedis(...command: [string, ...(string | number)[]]): Promise<unknown> {
  const redis = connectRedis(server.url);
  const reply = await redis.call(...command);
  redis.disconnect();
  return reply;
}

const claimName = ({ keyPrefix }: TestRedisConfig, key = 'key') => new RedisKeys(keyPrefix, 1).claim(0, key);

const pauses = [4, 8, 16, 32, 50];
const longestMs = 7_777;

/** Opens a store whose polling delays the test fires. */
async function openWaiting(config: TestRedisConfig) {
  const parts = createRedisStoreFixture(config, clock.now);
  const waits = new FakeTimers();
  const { timers: others = systemTimers } = parts.options;
  const timers: Timers = {
    now: systemTimers.now,
    after: (ms, run) => (pauses.includes(ms) || ms === longestMs ? waits : others).after(ms, run),
  };
  const store = new TieredStore({ ...parts.options, timers, maxSize: 1_000_000 });
  await Promise.all([parts.readyEvents.waitForCount(1), parts.heardInvalidations.waitForCount(1)]);
  return { ...parts, store, waits, [Symbol.asyncDispose]: () => store.close() };
}

describe('A wait for a claim holder', () => {
  test('polls with growing delays until the entry is stored', async () => {
    const config = sharedConfig();
    await using here = await openRedisStore(config, clock.now);
    await using there = await openWaiting(config);
    await here.store.claim(['key'], longMs);
    const found = there.store.awaitClaimHolder('key', longestMs, signal);
    for (const pause of [...pauses, 50]) {
      await there.waits.waitForTimer(pause);
      expect(there.waits.pendingMs()).toEqual([longestMs, pause]);
      there.waits.fire(pause);
    }
    await there.waits.waitForTimer(50);
    here.store.setMany([entry()], here.store.beginRead());
    await here.waitForWrites();
    there.waits.fire(50);
    expect(await found).toMatchObject({ value: '{"name":"Table"}' });
    expect(there.waits.pendingMs()).toEqual([]);
  });

  test.each([
    ['is aborted', (_waits: FakeTimers, client: AbortController) => client.abort()],
    ['times out', (waits: FakeTimers) => waits.fire(longestMs)],
  ])('leaves no timers when it %s', async (_, end) => {
    const config = sharedConfig();
    await using here = await openRedisStore(config, clock.now);
    await using there = await openWaiting(config);
    await here.store.claim(['key'], longMs);
    const client = new AbortController();
    const duringPause = there.store.awaitClaimHolder('key', longestMs, client.signal);
    await there.waits.waitForTimer(4);
    end(there.waits, client);
    expect(await duringPause).toBeUndefined();
    expect(there.waits.pendingMs()).toEqual([]);

    const next = new AbortController();
    const duringLook = there.store.awaitClaimHolder('key', longestMs, next.signal);
    end(there.waits, next);
    expect(await duringLook).toBeUndefined();
    // The reply to that poll arrived before this one.
    await there.store.getMany(['other']);
    expect(there.waits.pendingMs()).toEqual([]);
  });

  test.each<[string, (here: Awaited<ReturnType<typeof openRedisStore>>) => unknown]>([
    [
      'that is newer than the one at its beginning',
      () => {
        clock.time += 1;
      },
    ],
    [
      'of the same time that was read after a later invalidation',
      (here) => here.store.deleteByTags(['other']),
    ],
  ])('accepts a stale entry %s', async (_, supersede) => {
    const config = sharedConfig();
    await using here = await openRedisStore(config, clock.now);
    await using there = await openWaiting(config);
    const staleEntry = (value: string) => entry({ value, freshUntil: 0 });
    here.store.setMany([staleEntry('1')], here.store.beginRead());
    await here.waitForWrites();
    await here.store.claim(['key'], longMs);
    const found = there.store.awaitClaimHolder('key', longestMs, signal);
    await there.waits.waitForTimer(4);
    await supersede(here);
    here.store.setMany([staleEntry('2')], here.store.beginRead());
    await here.waitForWrites();
    there.waits.fire(4);
    expect(await found).toMatchObject({ value: '2' });
  });

  test('ends at once if the entry is fresh, or if no process has the claim', async () => {
    const config = sharedConfig();
    await using here = await openRedisStore(config, clock.now);
    await using there = await openWaiting(config);
    const { store, waits } = there;
    expect(await store.awaitClaimHolder('key', longestMs, signal)).toBeUndefined();
    here.store.setMany([entry()], here.store.beginRead());
    await here.waitForWrites();
    await here.store.claim(['key'], longMs);
    expect(await store.awaitClaimHolder('key', longestMs, signal)).toMatchObject({
      value: '{"name":"Table"}',
    });
    expect(waits.pendingMs()).toEqual([]);
  });

  test('copies the entry to memory, also after an invalidation during the wait', async () => {
    const config = sharedConfig();
    await using here = await openRedisStore(config, clock.now);
    await using there = await openWaiting(config);
    await here.store.claim(['key'], longMs);
    const found = there.store.awaitClaimHolder('key', longestMs, signal);
    await there.waits.waitForTimer(4);
    const isHeard = there.invalidations.waitForNext();
    await here.store.deleteByTags(['type:Product']);
    await isHeard;
    const { key, ...stored } = entry();
    here.store.setMany([{ key, ...stored }], here.store.beginRead());
    await here.waitForWrites();
    there.waits.fire(4);
    expect(await found).toMatchObject(stored);
    expect(there.store.getMany(['key'])).toEqual([expect.objectContaining(stored)]);
    expect(there.store.entryCount).toBe(1);
    expect(there.store.size).toBeGreaterThan(0);
  });
});

test('no process waits for a claim whose release is delayed, and none can claim its key', async () => {
  const config = sharedConfig();
  await using here = await openRedisStore(config, clock.now);
  await using there = await openWaiting(config);
  here.store.setMany([entry({ freshUntil: 0 })], here.store.beginRead());
  await here.waitForWrites();
  await here.store.claim(['key'], longMs);
  const begun = there.store.awaitClaimHolder('key', longestMs, signal);
  await there.waits.waitForTimer(4);
  here.store.release(['key'], longMs);
  await here.store.getMany(['key']);
  there.waits.fire(4);
  expect(await begun).toBeUndefined();
  expect(await there.store.awaitClaimHolder('key', longestMs, signal)).toBeUndefined();
  expect(there.waits.pendingMs()).toEqual([]);
  expect(await there.store.claim(['key'], longMs)).toEqual([false]);
});

test('a claim of a key is granted once for each time that it is listed', async () => {
  await using opened = await openRedisStore(sharedConfig(), clock.now);
  expect(await opened.store.claim(['key', 'other', 'key'], longMs)).toEqual([true, true, true]);
});

test('claims expire, and those with a delayed release expire at that time', async () => {
  const config = sharedConfig();
  await using opened = await openRedisStore(config, clock.now);
  const { store } = opened;
  await store.claim(['key', 'other'], 600_000.5);
  const [claimed, other] = [claimName(config), claimName(config, 'other')];
  expect(await askRedis('PTTL', claimed)).toBeGreaterThan(500_000);
  store.release(['key'], 60_000.5);
  await store.getMany(['key']);
  expect(await askRedis('PTTL', claimed)).toBeLessThanOrEqual(60_001);
  expect(await askRedis('PTTL', claimed)).toBeGreaterThan(0);
  expect(await askRedis('PTTL', other)).toBeGreaterThan(500_000);
});

describe('When Redis cannot answer a claim,', () => {
  test('it is granted at the read timeout, and released if Redis sets it later', async () => {
    const config = sharedConfig();
    await using opened = await openRedisStore(config, clock.now);
    const { store, deadlines, problems } = opened;
    server.pause();
    try {
      const granted = store.claim(['key', 'kept'], longMs);
      expect(granted).toBeInstanceOf(Promise);
      deadlines.fire(20);
      expect(await granted).toEqual([true, true]);
      store.release(['key'], 0);
    } finally {
      server.resume();
    }
    await store.getMany(['key']);
    expect(problems.counts.get('timeout')).toBe(1);
    expect(await askRedis('EXISTS', claimName(config))).toBe(0);
    expect(await askRedis('EXISTS', claimName(config, 'kept'))).toBe(1);
  });

  test('it is released with a later one if too many commands were in flight', async () => {
    const config = sharedConfig({ maxInFlight: 1 });
    await using opened = await openRedisStore(config, clock.now);
    const { store, deadlines } = opened;
    server.pause();
    try {
      const granted = store.claim(['key'], longMs);
      deadlines.fire(20);
      expect(await granted).toEqual([true]);
      store.release(['key'], 0);
    } finally {
      server.resume();
    }
    await waitUntil(async () => (await store.claim(['other'], longMs))[0] === true);
    await waitUntil(async () => {
      store.release(['other'], 0);
      return (await askRedis('EXISTS', claimName(config))) === 0;
    });
  });

  test('later claims do not wait after three timeouts', async () => {
    const config = sharedConfig();
    await using here = await openRedisStore(config, clock.now);
    await using there = await openRedisStore(config, clock.now);
    const { store, deadlines } = there;
    await here.store.claim(['key'], longMs);
    const begun = store.awaitClaimHolder('key', longMs, signal);
    server.pause();
    try {
      const timedOut = [store.claim(['key'], longMs), store.claim(['key'], longMs), store.getMany(['key'])];
      while (deadlines.pendingMs().includes(20)) deadlines.fire(20);
      expect(await Promise.all(timedOut)).toStrictEqual([[true], [true], [undefined]]);
      // The wait may have polled again before.
      while (deadlines.pendingMs().includes(20)) deadlines.fire(20);
      expect(store.claim(['key', 'other'], longMs)).toEqual([true, true]);
      expect(await begun).toBeUndefined();
      expect(await store.awaitClaimHolder('key', longMs, signal)).toBeUndefined();
    } finally {
      server.resume();
    }
  });

  test('a poll that times out ends the wait', async () => {
    const config = sharedConfig();
    await using here = await openRedisStore(config, clock.now);
    await using there = await openWaiting(config);
    await here.store.claim(['key'], longMs);
    const found = there.store.awaitClaimHolder('key', longestMs, signal);
    await there.waits.waitForTimer(4);
    server.pause();
    try {
      there.waits.fire(4);
      there.deadlines.fire(20);
      expect(await found).toBeUndefined();
      expect(there.waits.pendingMs()).toEqual([]);
    } finally {
      server.resume();
    }
  });

  test('it is granted at once without a connection', async () => {
    await using gone = await startDedicatedRedis();
    await gone.kill();
    const parts = createRedisStoreFixture(parseRedisConfig({ url: gone.url }), clock.now);
    const store = new RedisStore(parts.options);
    await waitForProblem(parts, 'unreachable');
    expect(store.claim(['key', 'other'], longMs)).toEqual([true, true]);
    expect(await store.awaitClaimHolder('key', longMs, signal)).toBeUndefined();
    store.release(['key'], 0);
    await store.close();
  });

  test('it is released at the next connection if it could not be released before', async () => {
    await using proxy = await startPausableProxy(server.port);
    const config = sharedConfig({
      url: `redis://127.0.0.1:${proxy.port}`,
      reconnect: { minDelay: '1ms', maxDelay: '10ms' },
    });
    await using opened = await openRedisStore(config, clock.now);
    const { store, readyEvents } = opened;
    await store.claim(['key', 'kept'], longMs);
    await proxy.setFault({ kind: 'refuse' });
    await waitUntil(() => !(store.claim(['other'], longMs) instanceof Promise));
    store.release(['key'], 0);
    const connections = readyEvents.count;
    await proxy.setFault({ kind: 'none' });
    await readyEvents.waitForCount(connections + 1);
    await store.getMany(['key']);
    expect(await askRedis('EXISTS', claimName(config))).toBe(0);
    expect(await askRedis('EXISTS', claimName(config, 'kept'))).toBe(1);
  });

  test('it is granted at once with too many commands in flight', async () => {
    const config = sharedConfig({ maxInFlight: 1 });
    await using opened = await openRedisStore(config, clock.now);
    const { store, problems } = opened;
    const read = store.getMany(['key']);
    expect(store.claim(['key'], longMs)).toEqual([true]);
    expect(await store.awaitClaimHolder('key', longMs, signal)).toBeUndefined();
    expect(problems.counts.get('too many in flight')).toBe(2);
    await read;
    expect(await askRedis('EXISTS', claimName(config))).toBe(0);
    // Neither is a claim released then: it is with the next one.
    expect(await store.claim(['key'], longMs)).toEqual([true]);
    const next = store.getMany(['key']);
    store.release(['key'], 0);
    await next;
    await store.getMany(['key']);
    expect(await askRedis('EXISTS', claimName(config))).toBe(1);
  });

  test('it is granted when the memory of Redis is full, and claims can be released', async () => {
    const config = sharedConfig();
    await using opened = await openRedisStore(config, clock.now);
    const { store, problems } = opened;
    await store.claim(['key', 'failed'], longMs);
    await askRedis('CONFIG', 'SET', 'maxmemory', '1');
    try {
      expect(await store.claim(['key', 'other'], longMs)).toEqual([true, true]);
      expect(problems.counts.get('out of memory')).toBe(1);
      store.release(['key'], 0);
      store.release(['failed'], 60_000);
      await store.getMany(['key']);
      expect(await askRedis('EXISTS', claimName(config))).toBe(0);
      expect(await store.awaitClaimHolder('failed', longMs, signal)).toBeUndefined();
      expect(await askRedis('PTTL', claimName(config, 'failed'))).toBeLessThanOrEqual(60_000);
    } finally {
      await askRedis('CONFIG', 'SET', 'maxmemory', '0');
    }
  });
});

describe('In a Cluster,', () => {
  const buckets = 6;
  let cluster: RedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster();
  }, downloadTimeoutMs);
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]();
  });

  test('only the claims of a hanging master are granted without an answer', async () => {
    const config = sharedConfig({ url: '', cluster: { nodes: cluster.nodes, buckets } });
    const names = new RedisKeys(config.keyPrefix, buckets);
    // A key in each bucket. Two consecutive buckets are on one master.
    const keys = Array.from({ length: buckets }, (_, bucket) => {
      let number = 0;
      while (names.bucketOf(`key ${number}`) !== bucket) number += 1;
      return `key ${number}`;
    });
    await teachScripts(config, keys);
    await using here = await openRedisStore(config, clock.now);
    await using there = await openRedisStore(config, clock.now);
    await here.store.claim(keys, longMs);
    expect(await there.store.claim(keys, longMs)).toEqual(keys.map(() => false));
    const [, , hanging] = cluster.servers;
    hanging?.pause();
    try {
      const claims = there.store.claim(keys, longMs);
      // The other masters answer meanwhile.
      expect(await there.store.claim(keys.slice(0, 4), longMs)).toEqual([false, false, false, false]);
      there.deadlines.fire(20);
      expect(await claims).toEqual([false, false, false, false, true, true]);
    } finally {
      hanging?.resume();
    }
    // The hanging master first executes the earlier commands, then releases the claims, and then answers the poll.
    await there.store.getMany(keys);
    here.store.release(keys, 0);
    await here.store.getMany(keys);
    expect(await there.store.claim(keys, longMs)).toEqual(keys.map(() => true));
  });
});
