import { randomUUID } from 'node:crypto';
import { startRedis, startRedisCluster } from '../harness/redis.ts';
import {
  longRedisTimeouts,
  openRedisStore,
  openTieredStore,
  parseRedisConfig,
  type TestRedisConfig,
} from '../harness/redisStoreFixture.ts';
import { describeStore, type StoreOpeners } from '../harness/storeConformance.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';

const server = disposeAfterSuite(await startRedis());
const cluster = disposeAfterSuite(await startRedisCluster());

const ofServer = () =>
  parseRedisConfig({ url: server.url, keyPrefix: randomUUID(), timeouts: longRedisTimeouts });
const ofCluster = () =>
  parseRedisConfig({
    cluster: { nodes: cluster.nodes, buckets: 12 },
    keyPrefix: randomUUID(),
    timeouts: longRedisTimeouts,
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
