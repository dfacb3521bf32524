import type { Cluster, ClusterOptions, Redis } from 'ioredis';
import { loadIoredis } from './loadIoredis.ts';
import { type ConnectionSettings, parseAddress, type RedisConfig, serverOptions } from './redisOptions.ts';

/** When the commands of a connection are written: at the end of the turn of the event loop, together with those of other
 *  requests, or at the end of the callback that sends them, for those of jobs. A response without a field that missed its
 *  budget is created at the end of a turn: it would wait for one more, and there is little to share a write with. */
export type WriteMoment = 'end of turn' | 'end of callback';

/** Connects to the configured server, or to the nodes of the Cluster, in the background. */
export function connectRedis(
  config: RedisConfig,
  { retryStrategy, ...settings }: ConnectionSettings,
  writeMoment: WriteMoment = 'end of turn',
  clusterSettings: Pick<ClusterOptions, 'maxRedirections' | 'clusterNodeRetryStrategy'> = {},
): Redis | Cluster {
  const { Cluster } = loadIoredis();
  if (config.cluster.nodes.length === 0)
    return connectToServer({ ...settings, retryStrategy, ...serverOptions(config) }, writeMoment);
  const cluster = new Cluster(config.cluster.nodes.map(parseAddress), {
    redisOptions: settings,
    enableOfflineQueue: settings.enableOfflineQueue ?? false,
    clusterRetryStrategy: retryStrategy,
    // Without it, a restarted node is only found again at the next refresh of the slots.
    clusterNodeRetryStrategy: retryStrategy,
    slotsRefreshTimeout: config.timeouts.connect,
    ...clusterSettings,
  });
  cluster.on('+node', (node: Redis) => adaptStream(node, writeMoment));
  adaptInfo(cluster);
  return cluster;
}

/** Connects to one server in the background. */
export function connectToServer(
  options: ConnectionSettings,
  writeMoment: WriteMoment = 'end of turn',
): Redis {
  const { Redis } = loadIoredis();
  const redis = new Redis(options);
  adaptStream(redis, writeMoment);
  adaptInfo(redis);
  return redis;
}

/** Sends the commands until the write moment in one write (decision 0122), and reads what has arrived before a connection is
 *  closed because of `redis.timeouts.socket`: after the event loop was blocked for so long, the timer of ioredis fires before
 *  Node reads the replies. */
function adaptStream(redis: Redis, writeMoment: WriteMoment): void {
  const defer = writeMoment === 'end of turn' ? setImmediate : process.nextTick;
  redis.on('connect', () => {
    const { stream } = redis;
    const write = stream.write.bind(stream) as (...args: readonly unknown[]) => boolean;
    const destroy = stream.destroy.bind(stream);
    let bytesReadBefore = -1;
    let firstUnansweredMs = 0;
    const send = (): void => {
      stream.uncork();
      if (stream.bytesRead === bytesReadBefore) return;
      bytesReadBefore = stream.bytesRead;
      firstUnansweredMs = performance.now();
    };
    Object.assign(stream, {
      write: (...args: readonly unknown[]) => {
        if (stream.writableCorked === 0) {
          stream.cork();
          defer(send);
        }
        return write(...args);
      },
      destroy: (error?: Error) => {
        if (error?.message.startsWith('Socket timeout.') !== true) return destroy(error);
        const { bytesRead } = stream;
        const destroyIfSilent = (): void => {
          if (stream.bytesRead !== bytesRead) return;
          // A blocked event loop has sent the command late: Redis has the whole timeout from then on.
          const remainingMs = firstUnansweredMs + (redis.options.socketTimeout ?? 0) - performance.now();
          if (remainingMs > 0) setTimeout(() => setImmediate(destroyIfSilent), remainingMs);
          else destroy(error);
        };
        setImmediate(destroyIfSilent);
        return stream;
      },
    });
  });
}

/** Adapts what two libraries read from `INFO`, for users without permission for it and for the log.
 *
 *  ioredis sends `INFO` in each new connection to a server, to wait until it has loaded its data. Without permission it does
 *  not wait, and prints a plain line, unless the answer is empty.
 *
 *  BullMQ reads the version of Redis once for each connection, and its worker never starts if that fails. The option
 *  `skipVersionCheck` is no solution: BullMQ then assumes Redis 5, and waits for due jobs in whole seconds. If Redis refuses
 *  `INFO`, this is the answer: permissions exist since Redis 6, and any other refusal says nothing about the version.
 *  Otherwise the answer omits the eviction policy, of which BullMQ prints a plain line for each connection: `RedisMonitor`
 *  logs it. */
export function adaptInfo(client: Redis | Cluster): void {
  const info = client.info.bind(client) as (...args: readonly unknown[]) => Promise<string>;
  Object.assign(client, {
    info: (callback?: InfoCallback) => {
      if (callback !== undefined) {
        return info((error: Error | null, text: string) =>
          isForbidden(error) ? callback(null, '') : callback(error, text),
        );
      }
      return info().then(
        (text) => text.replace(/^maxmemory_policy:.*$/m, ''),
        (error: Error) => {
          if (error.name !== 'ReplyError') throw error;
          return isForbidden(error) ? 'redis_version:6.2.0' : 'redis_version:5.0.0';
        },
      );
    },
  });
}

type InfoCallback = (error: Error | null, text: string) => void;

function isForbidden(error: Error | null): boolean {
  return error?.message.startsWith('NOPERM') === true;
}
