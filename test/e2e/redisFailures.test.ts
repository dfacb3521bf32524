import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { RedisKeys } from '../../gateway/cache/store/redisKeys.ts';
import { RedisStore } from '../../gateway/cache/store/redisStore.ts';
import type { Timers } from '../../gateway/time/timers.ts';
import { expectExit } from '../harness/expectExit.ts';
import { FakeTimers } from '../harness/fakeTimers.ts';
import { startPausableProxy } from '../harness/pausableProxy.ts';
import { connectRedis, startDedicatedRedis } from '../harness/redis.ts';
import {
  createRedisStoreFixture,
  longRedisTimeouts,
  openRedisStore,
  parseRedisConfig,
  shortSocketTimeout,
  valuesOf,
  waitForProblem,
} from '../harness/redisStoreFixture.ts';
import { createCacheWrite, TestClock } from '../harness/storeConformance.ts';
import { startSuiteRedis } from '../harness/suiteRedis.ts';

const { server } = await startSuiteRedis();

const clock = new TestClock();
const entry = (options: Parameters<typeof createCacheWrite>[1] = {}) => createCacheWrite(clock, options);

async function open(config: Parameters<typeof parseRedisConfig>[0] = {}) {
  const keyPrefix = randomUUID();
  const opened = await openRedisStore(
    parseRedisConfig({ url: server.url, keyPrefix, timeouts: longRedisTimeouts, ...config }),
    clock.now,
  );
  return { ...opened, keyPrefix, keys: new RedisKeys(keyPrefix, 1) };
}

/** Commands of an operator. */
async function operate(...command: [string, ...string[]]): Promise<void> {
  const redis = connectRedis(server.url);
  await redis.call(...command);
  redis.disconnect();
}

describe('While Redis hangs,', () => {
  test('a read is a miss at its timeout, and later reads do not wait until Redis answers again', async () => {
    await using opened = await open({ timeouts: shortSocketTimeout });
    const { store, deadlines, readyEvents } = opened;
    store.setMany([entry({ value: '1' })], store.beginRead());
    await store.awaitWrites();
    server.pause();
    try {
      for (let strike = 0; strike < 3; strike++) {
        const answers = store.getMany(['key', 'other']);
        expect(answers).toBeInstanceOf(Promise);
        deadlines.fire(20);
        expect(await answers).toStrictEqual([undefined, undefined]);
      }
      expect(opened.problems.counts.get('timeout')).toBe(3);
      expect(store.getMany(['key'])).toStrictEqual([undefined]);
      // The connection is closed.
      await waitForProblem(opened, 'unreachable');
      expect(store.getMany(['key'])).toStrictEqual([undefined]);
    } finally {
      server.resume();
    }
    await readyEvents.waitForNext();
    expect(await valuesOf(store, 'key')).toEqual(['1']);
  });

  test('the probes that time out are counted, as no read is sent', async () => {
    const config = parseRedisConfig({ url: server.url, timeouts: longRedisTimeouts });
    const { options, deadlines, problems, problemEvents, readyEvents } = createRedisStoreFixture(
      config,
      clock.now,
    );
    const probes = new FakeTimers();
    const { now, after } = options.timers;
    const timers: Timers = {
      now,
      after: (ms, run) => (ms === config.timeouts.socket ? probes.after(ms, run) : after(ms, run)),
    };
    const store = new RedisStore({ ...options, timers });
    await readyEvents.waitForCount(1);
    server.pause();
    try {
      for (let strike = 0; strike < 3; strike++) {
        const answers = store.getMany(['key']);
        deadlines.fire(20);
        await answers;
      }
      for (let count = 4; count < 6; count++) {
        await probes.waitForTimer(config.timeouts.socket);
        probes.fire(config.timeouts.socket);
        deadlines.fire(20);
        while (problems.counts.get('timeout') !== count) await problemEvents.waitForNext();
      }
    } finally {
      server.resume();
      await store.close();
    }
  });

  test('an invalidation is retried, and until then this process does not serve its entries', async () => {
    await using opened = await open({ timeouts: shortSocketTimeout });
    const { store, deadlines, keyPrefix } = opened;
    const config = parseRedisConfig({ url: server.url, keyPrefix, timeouts: longRedisTimeouts });
    await using other = await openRedisStore(config, clock.now);
    store.setMany(
      [entry({ key: '1', tags: ['a'] }), entry({ key: '2', value: '2', tags: ['b'] })],
      store.beginRead(),
    );
    await store.awaitWrites();
    server.pause();
    const result = store.deleteByTags(['a']);
    deadlines.fire(2_000);
    expect(await result).toEqual({ deleted: 0, isPending: true });
    await waitForProblem(opened, 'unreachable');
    server.resume();
    await opened.readyEvents.waitForNext();
    expect(await valuesOf(store, '1', '2')).toStrictEqual([undefined, '2']);
    expect(await valuesOf(other.store, '1', '2')).toStrictEqual([undefined, '2']);
  });

  test('a write that Redis executes later does not restore an invalidated entry', async () => {
    await using opened = await open();
    const { keyPrefix } = opened;
    const config = parseRedisConfig({ url: server.url, keyPrefix, timeouts: longRedisTimeouts });
    await using other = await openRedisStore(config, clock.now);
    const since = opened.store.beginRead();
    server.pause();
    opened.store.setMany([entry({ tags: ['a'] }), entry({ key: '2', value: '2', tags: ['b'] })], since);
    const result = other.store.deleteByTags(['a']);
    server.resume();
    await Promise.all([result, opened.store.awaitWrites()]);
    expect(await valuesOf(other.store, 'key')).toStrictEqual([undefined]);
  });
});

test('a write that was invalidated since its read is not stored in Redis', async () => {
  await using opened = await open();
  const { store, keys } = opened;
  const since = store.beginRead();
  await store.deleteByTags(['a']);
  store.setMany([entry({ tags: ['a'] }), entry({ key: 'other', tags: ['b'] })], since);
  await store.awaitWrites();
  const redis = connectRedis(server.url);
  expect(await redis.mget(keys.entry(0, 'key'), keys.entry(0, 'other'))).toEqual([null, expect.any(String)]);
  redis.disconnect();
});

test('a killed Redis causes misses and is used again after its restart', async () => {
  await using opened = await open();
  const { store, readyEvents } = opened;
  store.setMany([entry()], store.beginRead());
  await store.awaitWrites();
  await server.kill();
  await waitForProblem(opened, 'unreachable');
  expect(store.getMany(['key'])).toStrictEqual([undefined]);
  store.setMany([entry()], store.beginRead());
  expect(await store.deleteByTags(['type:Product'])).toEqual({ deleted: 0, isPending: true });
  const isReady = readyEvents.waitForNext();
  await server.restart();
  await isReady;
  expect(await valuesOf(store, 'key')).toStrictEqual([undefined]);
  store.setMany([entry({ value: '2' })], store.beginRead());
  await store.awaitWrites();
  expect(await valuesOf(store, 'key')).toEqual(['2']);
});

test('a store that closes while Redis is gone waits until Redis takes its invalidations', async () => {
  await using proxy = await startPausableProxy(server.port);
  await using opened = await open({ url: `redis://127.0.0.1:${proxy.port}` });
  const { store, keyPrefix } = opened;
  store.setMany([entry({ tags: ['a'] })], store.beginRead());
  await store.awaitWrites();
  await proxy.setFault({ kind: 'refuse' });
  await waitForProblem(opened, 'unreachable');
  await store.deleteByTags(['a']);
  const closed = store.close(60_000);
  await proxy.setFault({ kind: 'none' });
  await closed;
  expect(opened.problems.counts.has('invalidation lost')).toBe(false);
  const config = parseRedisConfig({ url: server.url, keyPrefix, timeouts: longRedisTimeouts });
  await using other = await openRedisStore(config, clock.now);
  expect(await valuesOf(other.store, 'key')).toStrictEqual([undefined]);
});

test('a Redis that starts later than the store is used', async () => {
  await using late = await startDedicatedRedis();
  await late.kill();
  const parts = createRedisStoreFixture(
    parseRedisConfig({ url: late.url, timeouts: longRedisTimeouts }),
    clock.now,
  );
  const store = new RedisStore(parts.options);
  await waitForProblem(parts, 'unreachable');
  expect(store.getMany(['key'])).toStrictEqual([undefined]);
  const since = store.beginRead();
  await late.restart();
  await parts.readyEvents.waitForCount(1);
  store.setMany([entry()], since);
  await store.awaitWrites();
  // Invalidations before the connection are unknown.
  expect(await valuesOf(store, 'key')).toStrictEqual([undefined]);
  store.setMany([entry({ value: '2' })], store.beginRead());
  await store.awaitWrites();
  expect(await valuesOf(store, 'key')).toEqual(['2']);
  await store.close();
});

test('a wrong password causes misses and one log line until it is corrected', async () => {
  await using closed = await startDedicatedRedis(['--requirepass', 'right']);
  const parts = createRedisStoreFixture(
    parseRedisConfig({ url: closed.url, password: 'wrong', timeouts: longRedisTimeouts }),
    clock.now,
  );
  const store = new RedisStore(parts.options);
  while ((parts.problems.counts.get('authentication') ?? 0) < 5) await parts.problemEvents.waitForNext();
  expect(store.getMany(['key'])).toStrictEqual([undefined]);
  expect(parts.logLines.filter(({ problem }) => problem === 'authentication')).toHaveLength(1);
  const operator = connectRedis(closed.url.replace('//', '//:right@'));
  await operator.call('CONFIG', 'SET', 'requirepass', 'wrong');
  operator.disconnect();
  await parts.readyEvents.waitForCount(1);
  store.setMany([entry({ value: '2' })], store.beginRead());
  await store.awaitWrites();
  expect(await valuesOf(store, 'key')).toEqual(['2']);
  await store.close();
});

test('a Redis that refuses writes at first is used later on the same connection', async () => {
  await using refusing = await startDedicatedRedis();
  const operator = connectRedis(refusing.url);
  await operator.call('ACL', 'SETUSER', 'default', '-hsetnx');
  const parts = createRedisStoreFixture(
    parseRedisConfig({ url: refusing.url, timeouts: longRedisTimeouts }),
    clock.now,
  );
  const store = new RedisStore(parts.options);
  await waitForProblem(parts, 'authentication');
  await operator.call('ACL', 'SETUSER', 'default', '+hsetnx');
  operator.disconnect();
  await parts.readyEvents.waitForCount(1);
  store.setMany([entry({ value: '2' })], store.beginRead());
  await store.awaitWrites();
  expect(await valuesOf(store, 'key')).toEqual(['2']);
  await store.close();
});

test('with full memory nothing is stored, and entries can be read and invalidated', async () => {
  await using opened = await open();
  const { store, problems } = opened;
  store.setMany([entry({ key: '1', value: '1' })], store.beginRead());
  await store.awaitWrites();
  await operate('CONFIG', 'SET', 'maxmemory', '1');
  try {
    store.setMany([entry({ key: '2', value: '2' })], store.beginRead());
    await store.awaitWrites();
    expect(problems.counts.get('out of memory')).toBe(1);
    expect(await valuesOf(store, '1', '2')).toStrictEqual(['1', undefined]);
    expect(await store.deleteByTags(['type:Product'])).toEqual({ deleted: 1, isPending: false });
    expect(await valuesOf(store, '1')).toStrictEqual([undefined]);
  } finally {
    await operate('CONFIG', 'SET', 'maxmemory', '0');
  }
  store.setMany([entry({ key: '2', value: '2' })], store.beginRead());
  await store.awaitWrites();
  expect(await valuesOf(store, '2')).toEqual(['2']);
});

test('after FLUSHALL, writes that were invalidated before are rejected', async () => {
  await using opened = await open();
  const { store, readyEvents } = opened;
  const before = store.beginRead();
  store.setMany([entry({ key: '1' })], before);
  await store.deleteByTags(['type:Product']);
  const begun = store.beginRead();
  await operate('FLUSHALL');
  expect(await valuesOf(store, '1')).toStrictEqual([undefined]);
  const isReady = readyEvents.waitForNext();
  store.setMany([entry({ key: '2' })], before);
  await isReady;
  store.setMany([entry({ key: '2' })], before);
  // The store knew that invalidation, but not whether there were later ones.
  store.setMany([entry({ key: '3' })], begun);
  store.setMany([entry({ key: '4', value: '4' })], store.beginRead());
  await store.awaitWrites();
  expect(await valuesOf(store, '2', '3', '4')).toStrictEqual([undefined, undefined, '4']);
});

test('when the master becomes a replica, writes are lost and the store reconnects', async () => {
  await using opened = await open();
  const { store, readyEvents } = opened;
  await operate('REPLICAOF', '127.0.0.1', '1');
  try {
    store.setMany([entry()], store.beginRead());
    await store.awaitWrites();
    expect(opened.problems.counts.get('read only')).toBe(1);
    await readyEvents.waitForNext();
  } finally {
    await operate('REPLICAOF', 'NO', 'ONE');
  }
  store.setMany([entry({ value: '2' })], store.beginRead());
  await store.awaitWrites();
  expect(await valuesOf(store, 'key')).toEqual(['2']);
});

describe('Foreign data under the key of an entry:', () => {
  const cases: Record<
    string,
    (redis: ReturnType<typeof connectRedis>, key: string, other: string) => unknown
  > = {
    'other text': (redis, key) => redis.set(key, '{"name":"Table"}'),
    'an empty value': (redis, key) => redis.set(key, ''),
    'an older format': (redis, key) => redis.setrange(key, 2, '\0'),
    'a truncated entry': async (redis, key) =>
      redis.set(key, (await redis.getBuffer(key))?.subarray(0, 70) ?? ''),
    'a changed byte': (redis, key) => redis.setrange(key, 80, '!'),
    'a read version of the far future': (redis, key) => redis.setrange(key, 4, '\x7f\x7f'),
    'the entry of another key': async (redis, key, other) =>
      redis.set(key, (await redis.getBuffer(other)) ?? ''),
  };
  for (const [name, spoil] of Object.entries(cases)) {
    test(`${name} is a miss, is counted, and is replaced by the next answer`, async () => {
      await using opened = await open();
      const { store, keys, problems } = opened;
      store.setMany([entry(), entry({ key: 'other' })], store.beginRead());
      await store.awaitWrites();
      const redis = connectRedis(server.url);
      await spoil(redis, keys.entry(0, 'key'), keys.entry(0, 'other'));
      redis.disconnect();
      expect(await valuesOf(store, 'key', 'other')).toEqual([undefined, '{"name":"Table"}']);
      expect(Object.fromEntries(problems.counts)).toEqual({ 'unreadable entry': 1 });
      store.setMany([entry({ value: '2' })], store.beginRead());
      await store.awaitWrites();
      expect(await valuesOf(store, 'key')).toEqual(['2']);
    });
  }

  test('another type of value is a miss, and is replaced by the next answer', async () => {
    await using opened = await open();
    const redis = connectRedis(server.url);
    await redis.rpush(opened.keys.entry(0, 'key'), '1');
    redis.disconnect();
    expect(await valuesOf(opened.store, 'key')).toStrictEqual([undefined]);
    opened.store.setMany([entry({ value: '2' })], opened.store.beginRead());
    await opened.store.awaitWrites();
    expect(await valuesOf(opened.store, 'key')).toEqual(['2']);
  });

  test('an invalid message on the channel is counted', async () => {
    await using opened = await open();
    for (const message of [
      '{',
      'null',
      '{"from":"x","sequence":"1","tags":[]}',
      '{"sequence":1,"tags":[1]}',
    ]) {
      const counted = opened.problemEvents.waitForNext();
      await operate('PUBLISH', opened.keys.channel, message);
      await counted;
    }
    expect(Object.fromEntries(opened.problems.counts)).toEqual({ 'unreadable entry': 4 });
  });
});

describe('A damaged key of the state of the cache is deleted and reported:', () => {
  const cases: Record<string, readonly [key: (keys: RedisKeys) => string, ...command: string[]]> = {
    'a state of another type': [(keys) => keys.state(0), 'SET', 'text'],
    'a state with text': [(keys) => keys.state(0), 'HSET', 'latest', 'text'],
    'a sequence number of another type': [(keys) => keys.sequence, 'HSET', 'field', '1'],
    'a sequence number that is text': [(keys) => keys.sequence, 'SET', 'text'],
    'a log of another type': [(keys) => keys.log, 'SET', 'text'],
    'the set of a tag of another type': [(keys) => keys.tag(0, 'type:Product'), 'SET', 'text'],
  };
  for (const [name, [keyOf, command = '', ...args]] of Object.entries(cases)) {
    test(`${name}; values are stored and invalidated as before`, async () => {
      await using opened = await open();
      const { store, keys, problems, logLines } = opened;
      store.setMany([entry({ value: '1' })], store.beginRead());
      await store.awaitWrites();
      const key = keyOf(keys);
      await operate('DEL', key);
      await operate(command, key, ...args);
      expect(await store.deleteByTags(['type:Product'])).toMatchObject({ isPending: false });
      expect(await valuesOf(store, 'key')).toStrictEqual([undefined]);
      store.setMany([entry({ value: '2' })], store.beginRead());
      await store.awaitWrites();
      expect(await valuesOf(store, 'key')).toEqual(['2']);
      expect(Object.fromEntries(problems.counts)).toEqual({ 'damaged key': 1 });
      expect(logLines).toMatchObject([
        { problem: 'damaged_key', message: expect.stringContaining(`The key ${key} did not contain`) },
      ]);
    });
  }

  test('a state with text, by a write; the next write is stored', async () => {
    await using opened = await open();
    const { store, keys, problems, readyEvents } = opened;
    await operate('HSET', keys.state(0), 'floor', 'text');
    const isReady = readyEvents.waitForNext();
    store.setMany([entry({ value: '1' })], store.beginRead());
    await isReady;
    store.setMany([entry({ value: '2' })], store.beginRead());
    await store.awaitWrites();
    expect(await valuesOf(store, 'key')).toEqual(['2']);
    expect(Object.fromEntries(problems.counts)).toEqual({ 'damaged key': 1 });
  });

  test('the set of a tag of another type, by a write, which is stored', async () => {
    await using opened = await open();
    const { store, keys, problems } = opened;
    await operate('SET', keys.tag(0, 'type:Product'), 'text');
    store.setMany([entry({ value: '1' })], store.beginRead());
    await store.awaitWrites();
    expect(await valuesOf(store, 'key')).toEqual(['1']);
    expect(Object.fromEntries(problems.counts)).toEqual({ 'damaged key': 1 });
  });
});

describe('An entry of a process whose clock is ahead', () => {
  async function openWithClockAhead(aheadMs: number) {
    const here = await open();
    const config = parseRedisConfig({
      url: server.url,
      keyPrefix: here.keyPrefix,
      timeouts: longRedisTimeouts,
    });
    const there = await openRedisStore(config, () => clock.time + aheadMs);
    there.store.setMany(
      [createCacheWrite({ ...clock, time: clock.time + aheadMs }, { value: 'there' })],
      there.store.beginRead(),
    );
    await there.store.awaitWrites();
    return {
      here,
      there,
      async [Symbol.asyncDispose]() {
        await Promise.all([here.store.close(), there.store.close()]);
      },
    };
  }

  test('by up to five seconds is read, and is newer than earlier ones', async () => {
    await using opened = await openWithClockAhead(5_000);
    const { store, problems } = opened.here;
    store.setMany([entry({ value: 'here' })], store.beginRead());
    await store.awaitWrites();
    expect(await valuesOf(store, 'key')).toEqual(['there']);
    expect(Object.fromEntries(problems.counts)).toEqual({});
  });

  test('by more is a miss, is counted, and is replaced by the next answer', async () => {
    await using opened = await openWithClockAhead(3_600_000);
    const { store, problems, logLines } = opened.here;
    expect(await valuesOf(store, 'key')).toStrictEqual([undefined]);
    expect(Object.fromEntries(problems.counts)).toEqual({ 'clock skew': 1 });
    expect(logLines).toMatchObject([
      {
        problem: 'clock_skew',
        message:
          'An entry was stored 3600 s in the future and is not used. Synchronise the clocks of all gateways, for example with NTP.',
      },
    ]);
    store.setMany([entry({ value: 'here' })], store.beginRead());
    await store.awaitWrites();
    expect(await valuesOf(store, 'key')).toEqual(['here']);
  });
});

test('all keys in Redis expire, and the set of a tag not before its last entry', async () => {
  await using opened = await open();
  const { store, keys } = opened;
  const hour = 3_600_000;
  const until = (time: number) => ({ tags: ['a'], staleIfErrorUntil: clock.time + time });
  store.setMany([entry({ ...until(2 * hour) })], store.beginRead());
  store.setMany([entry({ key: 'short', ...until(hour) })], store.beginRead());
  await store.awaitWrites();
  const redis = connectRedis(server.url);
  const ttlOf = (name: string) => redis.pttl(name);
  const [tag, long] = [await ttlOf(keys.tag(0, 'a')), await ttlOf(keys.entry(0, 'key'))];
  const short = await ttlOf(keys.entry(0, 'short'));
  redis.disconnect();
  expect(short).toBeLessThanOrEqual(hour);
  expect(long).toBeGreaterThan(hour);
  expect(tag).toBeGreaterThanOrEqual(long);
  expect(tag).toBeLessThanOrEqual(2 * hour);
});

test('reads beyond maxInFlight are misses at once', async () => {
  await using opened = await open({ maxInFlight: 2 });
  const { store } = opened;
  store.setMany([entry({ value: '1' })], store.beginRead());
  await store.awaitWrites();
  const reads = [store.getMany(['key']), store.getMany(['key'])];
  expect(store.getMany(['key'])).toStrictEqual([undefined]);
  store.setMany([entry({ value: '2' })], store.beginRead());
  expect(opened.problems.counts.get('too many in flight')).toBe(2);
  for (const read of reads) expect((await read).map((found) => found?.value)).toEqual(['1']);
});

test('a closed store does not keep the process alive, in any state of Redis', async () => {
  await expectExit(server.url, {
    imports: "import { RedisStore } from './gateway/cache/store/redisStore.ts';",
    code: `
      const isReady = Promise.withResolvers();
      const store = new RedisStore({ config, problems, timers: systemTimers, now: Date.now,
        onReady: isReady.resolve });
      if (works) await isReady.promise;
      await store.getMany(['key']);
      store.setMany([{ key: 'key', value: '1', storedAt: 0, freshUntil: 1e15, staleWhileRevalidateUntil: 0,
        staleIfErrorUntil: 0, tags: [] }], store.beginRead());
      void store.deleteByTags(['a']);
      await store.close();
    `,
  });
});
