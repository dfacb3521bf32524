import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { RedisKeys } from '../../gateway/cache/store/redisKeys.ts';
import { slotNames, slotOf } from '../../gateway/redis/clusterSlots.ts';
import { connectRedis, startRedisCluster } from '../harness/redis.ts';
import {
  longRedisTimeouts,
  openRedisStore,
  openTieredStore,
  parseRedisConfig,
  valuesOf,
} from '../harness/redisStoreFixture.ts';
import { createCacheWrite, TestClock } from '../harness/storeConformance.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';

const buckets = 6;

const cluster = disposeAfterSuite(await startRedisCluster());

const clock = new TestClock();
const entry = (options: Parameters<typeof createCacheWrite>[1] = {}) => createCacheWrite(clock, options);

// A hanging master hangs until the test resumes it.
function configOf() {
  const timeouts = { ...longRedisTimeouts, heartbeat: '1m' };
  return parseRedisConfig({ cluster: { nodes: cluster.nodes, buckets }, keyPrefix: randomUUID(), timeouts });
}

/** A key in each bucket. Two consecutive buckets are on one master. */
function keysOf(config: ReturnType<typeof configOf>): string[] {
  const keys = new RedisKeys(config.keyPrefix, buckets);
  return Array.from({ length: buckets }, (_, bucket) => {
    let number = 0;
    while (keys.bucketOf(`key ${number}`) !== bucket) number += 1;
    return `key ${number}`;
  });
}

test('only the entries of a hanging master are misses', async () => {
  const config = configOf();
  await using opened = await openRedisStore(config, clock.now);
  const { store, deadlines } = opened;
  const keys = keysOf(config);
  store.setMany(
    keys.map((key, index) => entry({ key, value: `${index}` })),
    store.beginRead(),
  );
  await store.awaitWrites();
  const [, , last] = cluster.servers;
  last?.pause();
  try {
    const answers = store.getMany(keys);
    // The other masters answer meanwhile.
    expect(await valuesOf(store, ...keys.slice(0, 4))).toEqual(['0', '1', '2', '3']);
    deadlines.fire(20);
    expect((await answers).map((found) => found?.value)).toStrictEqual([
      '0',
      '1',
      '2',
      '3',
      undefined,
      undefined,
    ]);
  } finally {
    last?.resume();
  }
});

test('an invalidation is received at once, even if a master with tagged entries hangs', async () => {
  const config = configOf();
  await using here = await openTieredStore(config, clock.now);
  await using there = await openTieredStore(config, clock.now);
  const [first = '', , , , , last = ''] = keysOf(config);
  there.store.setMany(
    [entry({ key: first, tags: ['a'] }), entry({ key: last, tags: ['a'] })],
    there.store.beginRead(),
  );
  await there.waitForWrites();
  const hanging = cluster.servers[2];
  hanging?.pause();
  let result: Promise<unknown>;
  try {
    const answers = here.store.getMany([first, last]);
    const isHeard = here.invalidations.waitForNext();
    result = there.store.deleteByTags(['a']);
    await isHeard;
    here.deadlines.fire(20);
    await answers;
    // An entry that was read before is not copied to memory.
    const again = here.store.getMany([first]);
    expect((await again)[0]).toBeUndefined();
  } finally {
    hanging?.resume();
  }
  await result;
  expect(await valuesOf(here.store, first, last)).toStrictEqual([undefined, undefined]);
  expect(await valuesOf(there.store, first, last)).toStrictEqual([undefined, undefined]);
});

test('entries stay readable when their slot moves to another master', async () => {
  const config = configOf();
  await using opened = await openRedisStore(config, clock.now);
  const { store } = opened;
  const keys = keysOf(config);
  store.setMany(
    keys.map((key, index) => entry({ key, value: `${index}` })),
    store.beginRead(),
  );
  await store.awaitWrites();
  await moveSlot(slotOf(slotNames(buckets)[0] ?? ''), 0, 1);
  expect(await valuesOf(store, ...keys)).toEqual(['0', '1', '2', '3', '4', '5']);
  store.setMany([entry({ key: keys[0] ?? '', value: 'new', storedAt: clock.time + 1 })], store.beginRead());
  await store.awaitWrites();
  expect(await valuesOf(store, ...keys.slice(0, 1))).toEqual(['new']);
  expect(await store.deleteByTags(['type:Product'])).toEqual({ deleted: 6, isPending: false });
});

test('an invalidation by a gateway with another number of buckets counts, also after a restart', async () => {
  const config = configOf();
  const keys = keysOf(config);
  const before = await openTieredStore(config, clock.now);
  before.store.setMany(
    keys.map((key) => entry({ key, tags: ['a'] })),
    before.store.beginRead(),
  );
  await before.waitForWrites();
  await before.store.close();
  await using other = await openTieredStore(
    { ...config, cluster: { ...config.cluster, buckets: 2 } },
    clock.now,
  );
  await other.store.deleteByTags(['a']);
  await using after = await openTieredStore(config, clock.now);
  expect(await valuesOf(after.store, ...keys)).toEqual(keys.map(() => undefined));
});

test('a master that restarts empty accepts entries again', async () => {
  const config = configOf();
  await using opened = await openRedisStore(config, clock.now);
  const { store, problemEvents, readyEvents } = opened;
  const keys = keysOf(config);
  const [last = ''] = keys.slice(-1);
  store.setMany([entry({ key: last })], store.beginRead());
  await store.awaitWrites();
  const server = cluster.servers[2];
  await server?.kill();
  const isCounted = problemEvents.waitForNext();
  store.setMany([entry({ key: last })], store.beginRead());
  await store.awaitWrites();
  await isCounted;
  await server?.restart();
  const readies = readyEvents.count;
  // The first write finds that the bucket lost its state, and initialises it.
  while (readyEvents.count === readies) {
    store.setMany([entry({ key: last })], store.beginRead());
    await Promise.all([store.awaitWrites(), new Promise((resolve) => setImmediate(resolve))]);
  }
  store.setMany([entry({ key: last, value: '2' })], store.beginRead());
  await store.awaitWrites();
  expect(await valuesOf(store, last)).toEqual(['2']);
});

async function moveSlot(slot: number, from: number, to: number): Promise<void> {
  const clients = cluster.servers.map(({ url }) => connectRedis(url));
  const [source, target] = [clients[from], clients[to]];
  if (source === undefined || target === undefined) throw new Error('no such master');
  const ids = await Promise.all(clients.map((client) => client.call('CLUSTER', 'MYID')));
  const [sourceId, targetId] = [String(ids[from]), String(ids[to])];
  await target.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', sourceId);
  await source.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', targetId);
  const names = (await source.call('CLUSTER', 'GETKEYSINSLOT', slot, 1_000)) as string[];
  const port = cluster.servers[to]?.port ?? 0;
  await source.call('MIGRATE', '127.0.0.1', port, '', 0, 5_000, 'KEYS', ...names);
  for (const client of [target, source, ...clients])
    await client.call('CLUSTER', 'SETSLOT', slot, 'NODE', targetId);
  for (const client of clients) client.disconnect();
}
