import { createHash } from 'node:crypto';
import { Cluster, Redis } from 'ioredis';
import { backoffDelayMs } from './backoffDelayMs.ts';
import { RedisFailure } from './redisFailure.ts';
import { connectionOptions, parseAddress, type RedisConfig, serverOptions } from './redisOptions.ts';

export type RedisArgument = string | number | Buffer;

/** A Lua script that runs where its keys are. */
export interface RedisScript {
  readonly text: string;
  readonly sha: string;
}

export function createRedisScript(text: string): RedisScript {
  return { text, sha: createHash('sha1').update(text).digest('hex') };
}

interface RedisClientOptions {
  readonly config: RedisConfig;
  /** The connection is there, for the first time or again. */
  onReady(): void;
  /** Something that no command is told about, such as a connection that is refused. */
  onFailure(failure: RedisFailure): void;
}

/** The one connection for commands, or the ones to a Cluster's nodes. What cannot be sent at once fails at once,
 *  and nothing is sent twice. */
export class RedisClient {
  readonly #redis: Redis | Cluster;

  constructor({ config, onReady, onFailure }: RedisClientOptions) {
    this.#redis = connect(config);
    this.#redis.on('ready', onReady);
    this.#redis.on('error', (error) => onFailure(new RedisFailure(error)));
    this.#redis.on('node error', (error) => onFailure(new RedisFailure(error)));
  }

  get isReady(): boolean {
    return this.#redis.status === 'ready';
  }

  /** Resolves with the reply, texts as buffers; never rejects. Not before Redis answers or the connection ends: who
   *  cannot wait so long has a deadline of its own. */
  async sendCommand(command: string, args: readonly RedisArgument[]): Promise<unknown> {
    try {
      return await this.#redis.callBuffer(command, ...args);
    } catch (error) {
      return new RedisFailure(error);
    }
  }

  /** Runs a script by its name, and sends its text where Redis does not know it. */
  async runScript(
    { text, sha }: RedisScript,
    keys: readonly string[],
    args: readonly RedisArgument[],
  ): Promise<unknown> {
    const reply = await this.sendCommand('evalsha', [sha, keys.length, ...keys, ...args]);
    const isUnknown = reply instanceof RedisFailure && reply.cause.message.startsWith('NOSCRIPT');
    return isUnknown ? this.sendCommand('eval', [text, keys.length, ...keys, ...args]) : reply;
  }

  close(): void {
    this.#redis.disconnect();
  }
}

function connect(config: RedisConfig): Redis | Cluster {
  const options = connectionOptions(config);
  if (config.cluster.nodes.length === 0) return new Redis({ ...options, ...serverOptions(config) });
  const { retryStrategy: _, enableOfflineQueue, ...redisOptions } = options;
  const delay = (attempt: number) => backoffDelayMs(attempt, config.reconnect);
  return new Cluster(config.cluster.nodes.map(parseAddress), {
    redisOptions,
    enableOfflineQueue: enableOfflineQueue ?? false,
    clusterRetryStrategy: delay,
    // Without it a node that restarts is found again only with the next look at the slots.
    clusterNodeRetryStrategy: delay,
    slotsRefreshTimeout: config.timeouts.connect,
    // One for a slot that has moved, one for the node it moved to while that happened.
    maxRedirections: 3,
  });
}
