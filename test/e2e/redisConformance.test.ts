import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll } from '@jest/globals';
import { type RedisCluster, type RedisServer, startRedis, startRedisCluster } from '../harness/redis.ts';
import {
  openRedisStore,
  openTieredStore,
  patience,
  redisConfig,
  type TestRedisConfig,
} from '../harness/storeUnderTest.ts';
import { describeStore, type StoreOpeners } from '../unit/cache/storeConformance.ts';

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

const ofServer = () => redisConfig({ url: server.url, keyPrefix: randomUUID(), timeouts: patience });
const ofCluster = () =>
  redisConfig({
    cluster: { nodes: cluster.nodes, buckets: 12 },
    keyPrefix: randomUUID(),
    timeouts: patience,
  });

function openers(
  openStore: typeof openRedisStore | typeof openTieredStore,
  newConfig: () => TestRedisConfig,
): StoreOpeners {
  return {
    open: ({ now }) => openStore(newConfig(), now),
    openTwo: ({ now }) => {
      const config = newConfig();
      return Promise.all([openStore(config, now), openStore(config, now)]);
    },
  };
}

describeStore('Redis', openers(openRedisStore, ofServer));
describeStore('a Redis Cluster', openers(openRedisStore, ofCluster));
describeStore('memory in front of Redis', openers(openTieredStore, ofServer));
