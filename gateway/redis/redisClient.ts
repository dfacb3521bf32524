import { hash } from 'node:crypto';
import type { Cluster, Redis } from 'ioredis';
import { slotOf } from './clusterSlots.ts';
import { connectRedis, type WriteMoment } from './connectRedis.ts';
import { isSelectError, RedisFailure } from './redisFailure.ts';
import { connectionOptions, describeAddress, type RedisConfig } from './redisOptions.ts';

export type RedisArgument = string | number | Buffer;

/** A Lua script that runs on the server of its keys. */
export interface RedisScript {
  readonly text: string;
  readonly sha: string;
}

export function createRedisScript(text: string): RedisScript {
  return { text, sha: hash('sha1', text, 'hex') };
}

interface RedisClientOptions {
  readonly config: RedisConfig;
  readonly writeMoment?: WriteMoment;
  /** Redis is connected, for the first time or again. */
  onReady(): void;
  /** The connection is lost, or could not be established. */
  onClose?(): void;
  /** The connection to one node of a Cluster is lost; those to the others may stay. */
  onNodeLost?(): void;
  /** A failure that no command reports, such as a refused connection. */
  onFailure(failure: RedisFailure): void;
}

/** The connection for commands, or the connections to the nodes of a Cluster. A command that cannot be sent at once fails
 *  at once, and no command is sent twice. */
export class RedisClient {
  readonly #redis: Redis | Cluster;
  /** The failure before a first attempt to connect has ended, and from the loss of a connection until the next attempt has
   *  failed. Created once, because each read of the cache reports it. */
  readonly #notConnected: RedisFailure;
  #failure: RedisFailure | undefined;
  /** Whether the server refused the configured database. ioredis would use database 0. */
  #isOtherDatabase = false;
  #wasReady = false;
  #isClosed = false;

  constructor({ config, writeMoment, onReady, onClose, onNodeLost, onFailure }: RedisClientOptions) {
    // At least two redirections: one for a moved slot (MOVED), and one for a slot that is being moved (ASK).
    this.#redis = connectRedis(config, connectionOptions(config), writeMoment, { maxRedirections: 3 });
    const address = describeAddress(config);
    this.#notConnected = new RedisFailure(new Error('Redis is not connected.'), address);
    const fail = (error: unknown): void => {
      this.#failure = new RedisFailure(error, address);
      if (isSelectError(error)) this.#isOtherDatabase = true;
      onFailure(this.#failure);
    };
    this.#redis.on('ready', () => {
      if (this.#isOtherDatabase) return;
      this.#failure = undefined;
      this.#wasReady = true;
      onReady();
    });
    this.#redis.on('close', () => {
      // ioredis emits no error when the server closes a new connection, as a port with TLS does.
      const isUnexplained = !this.#wasReady && this.#failure === undefined && !this.#isClosed;
      if (isUnexplained) fail(new Error('the server closed the connection'));
      this.#wasReady = false;
      this.#isOtherDatabase = false;
      onClose?.();
    });
    this.#redis.on('+node', (node: Redis) => {
      // Failed attempts to connect again end with `close`, too.
      node.on('ready', () => node.once('close', () => !this.#isClosed && onNodeLost?.()));
    });
    this.#redis.on('error', fail);
    this.#redis.on('node error', fail);
  }

  get isReady(): boolean {
    return this.#redis.status === 'ready' && !this.#isOtherDatabase;
  }

  /** Why Redis is not connected; `undefined` while it is. The message names the server. */
  get disconnection(): RedisFailure | undefined {
    if (this.isReady) return undefined;
    return this.#failure ?? this.#notConnected;
  }

  /** Why the last attempt to connect failed; `undefined` while Redis is connected, or may be in a moment. */
  get failedConnection(): RedisFailure | undefined {
    return this.isReady ? undefined : this.#failure;
  }

  /** One of these hash tags for each master of a Cluster with the slot of any, by the address of the master. For a single
   *  server, or while the masters are not known, the first tag with an empty address. */
  tagOfEachMaster(tags: readonly string[]): ReadonlyMap<string, string> {
    const { slots = [] } = this.#redis as Partial<Pick<Cluster, 'slots'>>;
    const found = new Map<string, string>();
    for (const tag of tags) {
      const [master = ''] = slots[slotOf(tag)] ?? [];
      if (!found.has(master)) found.set(master, tag);
    }
    return found;
  }

  /** Resolves with the reply, strings as buffers, or with a `RedisFailure`; never rejects. Has no timeout: it waits until
   *  Redis answers or the connection ends. */
  async sendCommand(command: string, args: readonly RedisArgument[]): Promise<unknown> {
    const { disconnection } = this;
    if (disconnection !== undefined) return disconnection;
    try {
      return await this.#redis.callBuffer(command, ...args);
    } catch (error) {
      return new RedisFailure(error);
    }
  }

  /** Runs a script by its hash, and sends its text if Redis does not know it. */
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
    this.#isClosed = true;
    this.#redis.disconnect();
  }
}
