import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from '@jest/globals';
import { type RedisCluster, type RedisServer, startRedis, startRedisCluster } from '../harness/redis.ts';
import { openRedisStore, openTieredStore, redisConfig } from '../harness/storeUnderTest.ts';
import { describeStore } from '../unit/cache/storeConformance.ts';

// The first run on a machine may have to download the program.
const downloadTimeoutMs = 300_000;

let server: RedisServer;
let cluster: RedisCluster;

beforeAll(async () => {
  server = await startRedis();
  cluster = await startRedisCluster();
}, downloadTimeoutMs);
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await cluster[Symbol.asyncDispose]();
});

describeStore('Redis', ({ now }) =>
  openRedisStore(redisConfig({ url: server.url, keyPrefix: randomUUID() }), now),
);

describeStore('a Redis Cluster', ({ now }) =>
  openRedisStore(
    redisConfig({ cluster: { nodes: cluster.nodes, buckets: 12 }, keyPrefix: randomUUID() }),
    now,
  ),
);

describeStore('memory in front of Redis', ({ now }) =>
  openTieredStore(redisConfig({ url: server.url, keyPrefix: randomUUID() }), now),
);
