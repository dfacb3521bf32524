import type { Cluster, ClusterOptions, Redis } from 'ioredis';
import { loadIoredis } from './loadIoredis.ts';
import { type ConnectionSettings, parseAddress, type RedisConfig, serverOptions } from './redisOptions.ts';

/** Connects to the configured server, or to the nodes of the Cluster, in the background. */
export function connectRedis(
  config: RedisConfig,
  { retryStrategy, ...settings }: ConnectionSettings,
  clusterSettings: Pick<ClusterOptions, 'maxRedirections'> = {},
): Redis | Cluster {
  const { Cluster, Redis } = loadIoredis();
  if (config.cluster.nodes.length === 0)
    return new Redis({ ...settings, retryStrategy, ...serverOptions(config) });
  return new Cluster(config.cluster.nodes.map(parseAddress), {
    redisOptions: settings,
    enableOfflineQueue: settings.enableOfflineQueue ?? false,
    clusterRetryStrategy: retryStrategy,
    // Without it, a restarted node is only found again at the next refresh of the slots.
    clusterNodeRetryStrategy: retryStrategy,
    slotsRefreshTimeout: config.timeouts.connect,
    ...clusterSettings,
  });
}
