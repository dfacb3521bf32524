import type { Cluster, Redis } from 'ioredis';
import { backoffDelayMs } from '../time/backoffDelayMs.ts';
import { connectRedis } from './connectRedis.ts';
import { isSelectError } from './redisFailure.ts';
import { connectionOptions, type RedisConfig } from './redisOptions.ts';

export interface QueueConnection {
  readonly client: Redis | Cluster;
  /** Disconnects. Duplicates of the client that are disconnected do not connect again either. */
  close(): void;
}

/** Creates a connection for BullMQ, which uses blocking commands. Commands are queued and sent again until Redis answers,
 *  so they must be idempotent. The caller must listen to `error` of the client. */
export function createQueueConnection(config: RedisConfig): QueueConnection {
  let isClosed = false;
  const delay = (attempt: number) => (isClosed ? null : backoffDelayMs(attempt, config.reconnect));
  const client = connect(config, delay);
  const duplicate = client.duplicate.bind(client) as (...args: readonly unknown[]) => Redis | Cluster;
  adaptInfo(client);
  refuseOtherDatabase(client);
  Object.assign(client, {
    duplicate: (...args: readonly unknown[]) => {
      const copy = duplicate(...args);
      adaptInfo(copy);
      refuseOtherDatabase(copy);
      // A worker of BullMQ that was paused while Redis did not answer connects its duplicate again after it was closed, and
      // without listeners.
      copy.on('connecting', () => {
        if (isClosed) copy.disconnect();
      });
      copy.on('error', () => undefined);
      return copy;
    },
  });
  return {
    client,
    close: () => {
      isClosed = true;
      client.disconnect();
    },
  };
}

/** BullMQ reads the version of Redis from `INFO` once for each connection, and its worker never starts if that fails. The
 *  option `skipVersionCheck` is no solution: BullMQ then assumes Redis 5, and waits for due jobs in whole seconds. If Redis
 *  refuses `INFO`, this is the answer: permissions exist since Redis 6, and any other refusal says nothing about the version.
 *  Otherwise the answer omits the eviction policy, of which BullMQ prints a plain line for each connection: `RedisMonitor`
 *  logs it. */
function adaptInfo(client: Redis | Cluster): void {
  const info = client.info.bind(client) as (...args: readonly unknown[]) => Promise<string>;
  Object.assign(client, {
    info: (...args: readonly unknown[]) => {
      // With arguments, the caller is ioredis, which passes a callback and handles no promise.
      if (args.length > 0) return info(...args);
      return info().then(
        (text) => text.replace(/^maxmemory_policy:.*$/m, ''),
        (error: Error) => {
          if (error.name !== 'ReplyError') throw error;
          return error.message.startsWith('NOPERM') ? 'redis_version:6.2.0' : 'redis_version:5.0.0';
        },
      );
    },
  });
}

/** ioredis uses database 0 if the server refuses the configured one. */
function refuseOtherDatabase(client: Redis | Cluster): void {
  client.on('error', (error) => {
    if (isSelectError(error)) client.disconnect(true);
  });
}

function connect(config: RedisConfig, delay: (attempt: number) => number | null): Redis | Cluster {
  // A blocking command can take longer than `redis.timeouts.socket`.
  const { socketTimeout: _, ...options } = connectionOptions(config);
  // With the 16 redirections of ioredis, which counts each attempt during a failover as one.
  return connectRedis(config, {
    ...options,
    enableOfflineQueue: true,
    maxRetriesPerRequest: null,
    autoResendUnfulfilledCommands: true,
    retryStrategy: delay,
  });
}
