import { Cluster, Redis } from 'ioredis';
import { backoffDelayMs } from './backoffDelayMs.ts';
import { connectionOptions, parseAddress, type RedisConfig, serverOptions } from './redisOptions.ts';

export interface QueueConnection {
  readonly client: Redis | Cluster;
  /** Ends it. Duplicates that are not connected do not come back either. */
  close(): void;
}

/** A connection for a library that blocks on it, and has its commands kept and sent again until Redis has done them:
 *  only for what may be done twice. Nobody here hears of its errors; who uses it listens to `error`. */
export function createQueueConnection(config: RedisConfig): QueueConnection {
  let isClosed = false;
  const delay = (attempt: number) => (isClosed ? null : backoffDelayMs(attempt, config.reconnect));
  const client = connect(config, delay);
  return {
    client,
    close: () => {
      isClosed = true;
      client.disconnect();
    },
  };
}

function connect(config: RedisConfig, delay: (attempt: number) => number | null): Redis | Cluster {
  const patient = {
    ...connectionOptions(config),
    enableOfflineQueue: true,
    maxRetriesPerRequest: null,
    autoResendUnfulfilledCommands: true,
    retryStrategy: delay,
  };
  // A command that blocks is answered later than `timeouts.socket`.
  const { socketTimeout: _, ...options } = patient;
  if (config.cluster.nodes.length === 0) return new Redis({ ...options, ...serverOptions(config) });
  const { retryStrategy: __, ...redisOptions } = options;
  return new Cluster(config.cluster.nodes.map(parseAddress), {
    redisOptions,
    enableOfflineQueue: true,
    clusterRetryStrategy: delay,
    clusterNodeRetryStrategy: delay,
    slotsRefreshTimeout: config.timeouts.connect,
  });
}
