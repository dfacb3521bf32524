import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { CacheStore } from '../../gateway/cache/store/cacheStore.ts';
import { RedisKeys } from '../../gateway/cache/store/redisKeys.ts';
import { TieredStore } from '../../gateway/cache/store/tieredStore.ts';
import type { GatewayOptions } from '../../gateway/config/schema.ts';
import type { Timers } from '../../gateway/time/timers.ts';
import { startPausableProxy } from '../harness/pausableProxy.ts';
import { connectRedis, startDedicatedRedis } from '../harness/redis.ts';
import {
  createRedisStoreFixture,
  longRedisTimeouts,
  openTieredStore,
  parseRedisConfig,
  shortSocketTimeout,
  valuesOf,
  waitForProblem,
} from '../harness/redisStoreFixture.ts';
import { createCacheWrite, TestClock } from '../harness/storeConformance.ts';
import { startSuiteRedis } from '../harness/suiteRedis.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';

const { server } = await startSuiteRedis();

const clock = new TestClock();
const entry = (options: Parameters<typeof createCacheWrite>[1] = {}) => createCacheWrite(clock, options);

/** Two replicas that share a Redis. */
async function openTwo(timeouts: NonNullable<GatewayOptions['redis']>['timeouts'] = longRedisTimeouts) {
  const keyPrefix = randomUUID();
  const config = parseRedisConfig({ url: server.url, keyPrefix, timeouts });
  const [here, there] = await Promise.all([
    openTieredStore(config, clock.now),
    openTieredStore(config, clock.now),
  ]);
  return {
    here,
    there,
    keys: new RedisKeys(keyPrefix, 1),
    [Symbol.asyncDispose]: async () => {
      await Promise.all([here.store.close(), there.store.close()]);
    },
  };
}

async function write(
  { store, waitForWrites }: Awaited<ReturnType<typeof openTieredStore>>,
  options: Parameters<typeof createCacheWrite>[1] = {},
): Promise<void> {
  store.setMany([entry(options)], store.beginRead());
  await waitForWrites();
}

async function operate(...command: [string, ...string[]]): Promise<void> {
  const redis = connectRedis(server.url);
  await redis.call(...command);
  redis.disconnect();
}

test('a replica reads an entry of another replica once, and then has a copy', async () => {
  await using two = await openTwo();
  const { here, there, keys } = two;
  await write(here, { value: '1' });
  expect(here.store.getMany(['key'])).not.toBeInstanceOf(Promise);
  expect(there.store.getMany(['key'])).toBeInstanceOf(Promise);
  expect(await valuesOf(there.store, 'key')).toEqual(['1']);
  await operate('UNLINK', keys.entry(0, 'key'));
  expect(there.store.getMany(['key'])).toEqual([expect.objectContaining({ value: '1' })]);
});

test('an invalidation drops the copies of other replicas', async () => {
  await using two = await openTwo();
  const { here, there } = two;
  await write(here, { key: '1', value: '1', tags: ['a'] });
  await write(here, { key: '2', value: '2', tags: ['b'] });
  expect(await valuesOf(there.store, '1', '2')).toEqual(['1', '2']);
  const begun = there.store.beginRead();
  const isDropped = there.invalidations.waitForNext();
  expect(await here.store.deleteByTags(['a'])).toEqual({ deleted: 1, isPending: false });
  await isDropped;
  expect(await valuesOf(there.store, '1', '2')).toStrictEqual([undefined, '2']);
  // Read from the subgraph before the invalidation of the other replica.
  there.store.setMany([entry({ key: '1', tags: ['a'] })], begun);
  await there.waitForWrites();
  expect(await valuesOf(there.store, '1')).toStrictEqual([undefined]);
  expect(await valuesOf(here.store, '1')).toStrictEqual([undefined]);
  // A replica does not receive its own invalidations.
  const isHeard = here.invalidations.waitForNext();
  await there.store.deleteByTags(['b']);
  await isHeard;
  expect([here.invalidations.count, there.invalidations.count]).toEqual([1, 1]);
});

test('replicas that have heard of the same invalidations have the same version, and no other one', async () => {
  await using two = await openTwo();
  const { here, there } = two;
  const versions = [here.store.version];
  const heard = [there.invalidations.waitForNext()];
  await here.store.deleteByTags(['a']);
  await Promise.all(heard);
  versions.push(here.store.version);
  // Has heard of it from the log.
  await using late = await openTieredStore(here.options.config, clock.now);
  expect([there.store.version, late.store.version]).toEqual([here.store.version, here.store.version]);
  // Until Redis answers, no process can know of the invalidations of the other.
  server.pause();
  const deleted = [here, there].map(({ store }) => store.deleteByTags(['b']));
  versions.push(here.store.version, there.store.version);
  heard.push(here.invalidations.waitForNext(), there.invalidations.waitForNext());
  server.resume();
  await Promise.all([...deleted, ...heard]);
  versions.push(here.store.version);
  expect(there.store.version).toBe(here.store.version);
  expect(new Set(versions).size).toBe(5);
});

test('copies are dropped when invalidations may have been missed', async () => {
  await using two = await openTwo();
  const { here, keys } = two;
  await write(here);
  // Only a copy can answer when Redis has no entry.
  await operate('UNLINK', keys.entry(0, 'key'));
  expect(await valuesOf(here.store, 'key')).toEqual(['{"name":"Table"}']);
  const isHeard = here.heardInvalidations.waitForNext();
  await operate('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await isHeard;
  expect(await valuesOf(here.store, 'key')).toStrictEqual([undefined]);
});

test('copies are dropped when a hanging connection is detected', async () => {
  await using two = await openTwo(shortSocketTimeout);
  const { here, keys } = two;
  await write(here);
  await operate('UNLINK', keys.entry(0, 'key'));
  const isHeard = here.heardInvalidations.waitForNext();
  server.pause();
  // No command is sent meanwhile.
  await waitForProblem(here, 'unreachable');
  server.resume();
  await isHeard;
  expect(await valuesOf(here.store, 'key')).toStrictEqual([undefined]);
});

test('copies stay while Redis cannot save its data, and refuses writes and PING', async () => {
  await using own = await startDedicatedRedis();
  const timeouts = { ...longRedisTimeouts, heartbeat: '1ms' } as const;
  await using opened = await openTieredStore(parseRedisConfig({ url: own.url, timeouts }), clock.now);
  // Two when the subscription was connected before the connection for commands.
  const { count } = opened.heardInvalidations;
  await write(opened, { value: '1' });
  await own.setDiskFull(true);
  const redis = connectRedis(own.url);
  const refusedPings = async () =>
    Number(/cmdstat_ping:.*rejected_calls=(\d+)/.exec(await redis.info('commandstats'))?.[1] ?? 0);
  while ((await refusedPings()) < 3);
  redis.disconnect();
  expect(opened.heardInvalidations.count).toBe(count);
  expect(opened.store.getMany(['key'])).toEqual([expect.objectContaining({ value: '1' })]);
});

test('invalidations during a lost subscription are read later, even if Redis lost the set of the tag', async () => {
  await using two = await openTwo();
  const { here, there, keys } = two;
  await write(there, { tags: ['a'] });
  // Like an eviction.
  await operate('UNLINK', keys.tag(0, 'a'));
  expect(await here.store.deleteByTags(['a'])).toEqual({ deleted: 0, isPending: false });
  const config = here.options.config;
  await using late = await openTieredStore(config, clock.now);
  expect(await valuesOf(late.store, 'key')).toStrictEqual([undefined]);
  expect(await valuesOf(here.store, 'key')).toStrictEqual([undefined]);
});

test.each([
  ['is lost', []],
  ['was lost, and has later invalidations only', ['b']],
])('a replica that starts when the log of invalidations %s uses no value from before', async (_, later) => {
  await using two = await openTwo();
  const { here, keys } = two;
  await write(here, { tags: ['a'] });
  await here.store.deleteByTags(['before']);
  // Like evictions.
  await operate('UNLINK', keys.tag(0, 'a'));
  await here.store.deleteByTags(['a']);
  await operate('UNLINK', keys.log);
  await here.store.deleteByTags(later);
  await using late = await openTieredStore(here.options.config, clock.now);
  expect(await valuesOf(late.store, 'key')).toStrictEqual([undefined]);
  await write(here, { tags: ['a'] });
  expect(await valuesOf(late.store, 'key')).toEqual(['{"name":"Table"}']);
});

test('a replica that starts without a log of invalidations uses values from after another one has prepared Redis', async () => {
  await using two = await openTwo();
  const { here, keys } = two;
  // Like an eviction. The next replica prepares the bucket again.
  await operate('UNLINK', keys.state(0));
  await using other = await openTieredStore(here.options.config, clock.now);
  await using late = await openTieredStore(other.options.config, clock.now);
  while (here.store.beginRead().shared !== late.store.beginRead().shared) await waitForTurns(1);
  await write(here);
  expect(await valuesOf(late.store, 'key')).toEqual(['{"name":"Table"}']);
});

test('a replica that starts after the first invalidation uses values from before it', async () => {
  await using two = await openTwo();
  const { here } = two;
  await write(here, { tags: ['a'] });
  await here.store.deleteByTags(['b']);
  await using late = await openTieredStore(here.options.config, clock.now);
  expect(await valuesOf(late.store, 'key')).toEqual(['{"name":"Table"}']);
});

test('invalidations are read from the log if the subscription returns before the connection for commands', async () => {
  const keyPrefix = randomUUID();
  // The subscription connects again at once. Its delay is one of at most 300 ms, like that of the other connection.
  const config = parseRedisConfig({
    url: server.url,
    keyPrefix,
    timeouts: { ...longRedisTimeouts, heartbeat: '1m' },
    reconnect: { minDelay: '300ms', maxDelay: '300ms' },
  });
  const fixture = createRedisStoreFixture(config, clock.now);
  const { after, now } = fixture.options.timers;
  const timers: Timers = { now, after: (ms, run) => after(ms >= 150 && ms <= 300 ? 0 : ms, run) };
  const store = new TieredStore({ ...fixture.options, timers, maxSize: 1_000_000 });
  await Promise.all([fixture.readyEvents.waitForCount(1), fixture.heardInvalidations.waitForCount(1)]);
  store.setMany([entry({ tags: ['a'] })], store.beginRead());
  await store.awaitWrites();
  // An invalidation whose message this process has missed, after an eviction of the set of the tag.
  const keys = new RedisKeys(keyPrefix, 1);
  await operate('UNLINK', keys.tag(0, 'a'));
  await operate('ZADD', keys.log, '0', '', String(store.beginRead().shared + 1), 'a');
  expect(await valuesOf(store, 'key')).toEqual(['{"name":"Table"}']);
  const [isReady, isHeard] = [fixture.readyEvents.waitForNext(), fixture.heardInvalidations.waitForNext()];
  await operate('CLIENT', 'KILL', 'TYPE', 'normal');
  await operate('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await Promise.all([isReady, isHeard]);
  expect(await valuesOf(store, 'key')).toStrictEqual([undefined]);
  await store.close();
});

test('a replica that cannot subscribe to invalidations stores values that are read after them', async () => {
  const [user, keyPrefix] = [randomUUID(), randomUUID()];
  await operate('ACL', 'SETUSER', user, 'on', '>password', '~*', 'resetchannels', '+@all');
  const url = server.url.replace('redis://', `redis://${user}:password@`);
  const fixture = createRedisStoreFixture(
    parseRedisConfig({ url, keyPrefix, timeouts: longRedisTimeouts }),
    clock.now,
  );
  const deaf = new TieredStore({ ...fixture.options, maxSize: 1_000_000 });
  await Promise.all([fixture.readyEvents.waitForCount(1), waitForProblem(fixture, 'authentication')]);
  const config = parseRedisConfig({ url: server.url, keyPrefix, timeouts: longRedisTimeouts });
  await using there = await openTieredStore(config, clock.now);
  await there.store.deleteByTags(['a']);
  const storedBy = async (value: string) => {
    deaf.setMany([entry({ value, tags: ['a'] })], deaf.beginRead());
    await deaf.awaitWrites();
    return valuesOf(there.store, 'key');
  };
  // For all it knows, the first value was read before the invalidation. The reply to this write has the latest one.
  expect([await storedBy('1'), await storedBy('2')]).toStrictEqual([[undefined], ['2']]);
  expect(fixture.heardInvalidations.count).toBe(0);
  await deaf.close();
});

test('a replica that loses the permission for the channel serves no copies', async () => {
  const [user, keyPrefix] = [randomUUID(), randomUUID()];
  await operate('ACL', 'SETUSER', user, 'on', '>password', '~*', '&*', '+@all');
  const url = server.url.replace('redis://', `redis://${user}:password@`);
  await using here = await openTieredStore(
    parseRedisConfig({ url, keyPrefix, timeouts: longRedisTimeouts }),
    clock.now,
  );
  await using there = await openTieredStore({ ...here.options.config, url: server.url }, clock.now);
  await write(here, { tags: ['a'] });
  // Closes the connections of the user that have subscribed.
  await operate('ACL', 'SETUSER', user, 'resetchannels');
  await waitForProblem(here, 'authentication');
  expect(await valuesOf(here.store, 'key')).toEqual(['{"name":"Table"}']);
  await there.store.deleteByTags(['a']);
  expect(await valuesOf(here.store, 'key')).toStrictEqual([undefined]);
  const isHeard = here.heardInvalidations.waitForNext();
  await operate('ACL', 'SETUSER', user, '&*');
  await isHeard;
  await write(here, { tags: ['a'] });
  expect(here.store.getMany(['key'])).not.toBeInstanceOf(Promise);
});

test('a replica that has subscribed again serves no copies before it has read which invalidations it missed', async () => {
  await using proxy = await startPausableProxy(server.port);
  await using here = await openTieredStore(
    parseRedisConfig({
      url: `redis://127.0.0.1:${proxy.port}`,
      keyPrefix: randomUUID(),
      timeouts: longRedisTimeouts,
    }),
    clock.now,
  );
  await write(here);
  expect(here.store.getMany(['key'])).not.toBeInstanceOf(Promise);
  const isReadingLog = proxy.pauseAt('zrange');
  await operate('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await isReadingLog;
  const found = here.store.getMany(['key']);
  expect(found).toBeInstanceOf(Promise);
  proxy.resume();
  await found;
});

test('a stale copy is replaced by a newer entry of another replica', async () => {
  await using two = await openTwo();
  const { here, there } = two;
  await write(here, { value: '1' });
  clock.time += 1_000;
  expect(await valuesOf(here.store, 'key')).toEqual(['1']);
  await write(there, { value: '2' });
  expect(await valuesOf(here.store, 'key')).toEqual(['2']);
  expect(here.store.getMany(['key'])).toEqual([expect.objectContaining({ value: '2' })]);
});

test('without Redis the memory is used alone, and invalidations are sent when Redis is available', async () => {
  await using late = await startDedicatedRedis();
  await late.kill();
  const parts = createRedisStoreFixture(parseRedisConfig({ url: late.url }), clock.now);
  const store = new TieredStore({ ...parts.options, maxSize: 1_000_000 });
  store.setMany([entry({ key: '1', tags: ['a'] }), entry({ key: '2', value: '2' })], store.beginRead());
  expect(await store.deleteByTags(['a'])).toEqual({ deleted: 1, isPending: true });
  expect(store.getMany(['1', '2'])).toEqual([undefined, expect.objectContaining({ value: '2' })]);
  await late.restart();
  await parts.readyEvents.waitForCount(1);
  const redis = connectRedis(late.url);
  expect(await redis.hexists(new RedisKeys('tributary:', 1).state(0), 'tag:a')).toBe(1);
  redis.disconnect();
  await store.close();
});

test('two replicas never return an entry that is older than an invalidation that they have received', async () => {
  await using two = await openTwo();
  const replicas = [two.here, two.there] as const;
  const replica = fc.constantFrom(0 as const, 1 as const);
  const step = fc.oneof(
    fc.record({ kind: fc.constant('begin' as const), replica }),
    fc.record({ kind: fc.constant('end' as const), replica, which: fc.nat(5) }),
    fc.record({ kind: fc.constant('mutate' as const), replica }),
    fc.record({ kind: fc.constant('read' as const), replica }),
    fc.record({ kind: fc.constant('readMeanwhile' as const), replica }),
  );
  let round = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
      round += 1;
      const [key, tag] = [`key ${round}`, `tag ${round}`];
      let data = 0;
      const begun: { replica: 0 | 1; value: number; since: ReturnType<CacheStore['beginRead']> }[] = [];
      const reads: Promise<unknown>[] = [];
      for (const now of steps) {
        clock.time += 1;
        const { store } = replicas[now.replica];
        if (now.kind === 'begin') {
          begun.push({ replica: now.replica, value: data, since: store.beginRead() });
        } else if (now.kind === 'end') {
          const [ended] = begun.splice(now.which, 1);
          if (ended === undefined) continue;
          const { value, since } = ended;
          replicas[ended.replica].store.setMany([entry({ key, value: `${value}`, tags: [tag] })], since);
        } else if (now.kind === 'mutate') {
          data += 1;
          const isHeard = replicas[now.replica === 0 ? 1 : 0].invalidations.waitForNext();
          await Promise.all([store.deleteByTags([tag]), isHeard]);
        } else if (now.kind === 'readMeanwhile') {
          // Runs while other events happen. Its value may be as old as its beginning.
          const oldest = data;
          reads.push(
            valuesOf(store, key).then(([value]) =>
              expect(Number(value ?? oldest)).toBeGreaterThanOrEqual(oldest),
            ),
          );
        } else {
          expect([undefined, `${data}`]).toContain((await valuesOf(store, key))[0]);
        }
      }
      await Promise.all(reads);
    }),
    { numRuns: 60 },
  );
});
