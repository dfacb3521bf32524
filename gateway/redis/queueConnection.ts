import type { Cluster, Redis } from 'ioredis';
import { backoffDelayMs } from '../time/backoffDelayMs.ts';
import { adaptInfo, connectRedis } from './connectRedis.ts';
import { isSelectError } from './redisFailure.ts';
import { type ConnectionSettings, connectionOptions, type RedisConfig } from './redisOptions.ts';

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
  refuseOtherDatabase(client);
  const blocked = new Set<(error: Error) => void>();
  Object.assign(client, {
    duplicate: (...args: readonly unknown[]) => {
      const copy = duplicate(...args);
      adaptInfo(copy);
      refuseOtherDatabase(copy);
      const bzpopmin = copy.bzpopmin.bind(copy) as (...args: readonly unknown[]) => Promise<unknown>;
      Object.assign(copy, {
        bzpopmin: (...command: readonly unknown[]) =>
          new Promise((resolve, reject) => {
            blocked.add(reject);
            bzpopmin(...command)
              .finally(() => blocked.delete(reject))
              .then(resolve, reject);
          }),
      });
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
      // After the loss of a connection, ioredis neither sends nor rejects the command that it was to send again. The timer
      // with which BullMQ waits for it would let the process live for 11 s.
      for (const reject of blocked) reject(new Error('Connection is closed.'));
    },
  };
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
  const settings: ConnectionSettings = {
    ...options,
    enableOfflineQueue: true,
    maxRetriesPerRequest: null,
    autoResendUnfulfilledCommands: true,
    retryStrategy: delay,
  };
  // In a Cluster, commands for a lost master would wait for its connection, and never look for the master that has taken its
  // slots. Without a new connection to a lost node, ioredis looks for it before each of its attempts, which it counts.
  const clusterSettings = { maxRedirections: Number.POSITIVE_INFINITY, clusterNodeRetryStrategy: null };
  return connectRedis(config, settings, 'end of callback', clusterSettings);
}
