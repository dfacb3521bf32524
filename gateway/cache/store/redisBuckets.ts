import { ReadCircuitBreaker } from '../../redis/readCircuitBreaker.ts';
import { scheduleReadTimeout } from '../../redis/readTimeout.ts';
import type { RedisArgument, RedisClient, RedisScript } from '../../redis/redisClient.ts';
import { RedisFailure } from '../../redis/redisFailure.ts';
import type { RedisConfig } from '../../redis/redisOptions.ts';
import type { Timers } from '../../time/timers.ts';
import type { RedisKeys } from './redisKeys.ts';
import { deleteDamagedKeys } from './redisScripts.ts';
import type { StoreProblems } from './storeProblems.ts';

interface RedisBucketsOptions {
  readonly config: RedisConfig;
  readonly client: RedisClient;
  readonly keys: RedisKeys;
  readonly timers: Timers;
  readonly problems: StoreProblems;
}

/** Errors of commands and scripts that find another type, or a value that is not a number. */
const damagePattern = /WRONGTYPE|attempt to (compare|perform arithmetic)/;

const timeoutMessage = 'Redis did not answer in time (redis.timeouts.read).';

/** Sends commands to the buckets of the Redis store. Reads wait at most `redis.timeouts.read`; a circuit breaker for each
 *  bucket skips reads that would time out. Reports failures; its promises never reject. */
export class RedisBuckets {
  readonly #options: RedisBucketsOptions;
  readonly #breakers: readonly ReadCircuitBreaker[];
  #commandsInFlight = 0;
  #isClosed = false;

  constructor(options: RedisBucketsOptions) {
    this.#options = options;
    const { config, keys, timers } = options;
    this.#breakers = Array.from(
      { length: keys.buckets },
      (_, bucket) =>
        new ReadCircuitBreaker({
          timers,
          probeIntervalMs: config.timeouts.socket,
          probe: () => this.#probe(bucket),
        }),
    );
  }

  /** Whether Redis is connected. */
  get isReady(): boolean {
    return this.#options.client.isReady;
  }

  /** Whether another command may be sent (`redis.maxInFlight`). */
  get hasRoom(): boolean {
    return this.#commandsInFlight < this.#options.config.maxInFlight;
  }

  /** Groups the indexes of keys by bucket. Omits buckets that cannot be read now. */
  indexesByBucket(keys: readonly string[]): Map<number, number[]> {
    const { config, problems } = this.#options;
    const indexesByBucket = new Map<number, number[]>();
    if (keys.length === 0) return indexesByBucket;
    const { disconnection } = this.#options.client;
    if (disconnection !== undefined) {
      problems.report(disconnection.kind, disconnection.cause.message);
      return indexesByBucket;
    }
    for (const [index, key] of keys.entries()) {
      const bucket = this.#options.keys.bucketOf(key);
      const indexes = indexesByBucket.get(bucket);
      if (indexes !== undefined) indexes.push(index);
      else if (this.#breakers[bucket]?.isOpen !== true) indexesByBucket.set(bucket, [index]);
    }
    if (this.#commandsInFlight + indexesByBucket.size <= config.maxInFlight) return indexesByBucket;
    problems.report('too many in flight');
    return new Map();
  }

  /** Sends one command to each bucket. Resolves when all buckets have answered, or after the read timeout. `onReply` gets
   *  the array replies that arrived in time. */
  queryEach(
    indexesByBucket: ReadonlyMap<number, readonly number[]>,
    send: (bucket: number, indexes: readonly number[]) => Promise<unknown>,
    onReply: (bucket: number, indexes: readonly number[], reply: readonly unknown[]) => void,
  ): Promise<void> {
    if (indexesByBucket.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const unanswered = new Set(indexesByBucket.keys());
      const cancelTimer = scheduleReadTimeout(this.#options, () => {
        this.#options.problems.report('timeout', timeoutMessage);
        for (const bucket of unanswered) this.#breakers[bucket]?.recordFailure();
        unanswered.clear();
        resolve();
      });
      for (const [bucket, indexes] of indexesByBucket) {
        void send(bucket, indexes).then((reply) => {
          // The reply arrived after the timeout.
          if (!unanswered.delete(bucket)) return;
          if (Array.isArray(reply)) {
            this.#breakers[bucket]?.recordSuccess();
            onReply(bucket, indexes, reply);
          }
          if (unanswered.size > 0) return;
          cancelTimer();
          resolve();
        });
      }
    });
  }

  /** Resolves with the reply, or with `undefined` after the read timeout. */
  withReadTimeout(reply: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve) => {
      const cancelTimer = scheduleReadTimeout(this.#options, () => resolve(undefined));
      void reply.then((value) => {
        cancelTimer();
        resolve(value);
      });
    });
  }

  sendCommand(command: string, args: readonly RedisArgument[]): Promise<unknown> {
    const { client } = this.#options;
    return this.#trackCommand([String(args[0])], () => client.sendCommand(command, args));
  }

  runScript(script: RedisScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    return this.#trackCommand(keys, () => this.#options.client.runScript(script, keys, args));
  }

  /** To be called for a new connection: timeouts of the previous one say nothing about it. */
  resetBreakers(): void {
    for (const breaker of this.#breakers) breaker.reset();
  }

  close(): void {
    this.#isClosed = true;
    this.resetBreakers();
  }

  async #probe(bucket: number): Promise<boolean> {
    const reply = await this.withReadTimeout(
      this.sendCommand('hget', [this.#options.keys.state(bucket), 'floor']),
    );
    // Otherwise nothing would be counted while no read is sent.
    if (reply === undefined) this.#options.problems.report('timeout', timeoutMessage);
    return reply !== undefined && !(reply instanceof RedisFailure);
  }

  /** Sends a command again if it failed because of damaged keys, which are deleted. */
  async #trackCommand(keys: readonly string[], send: () => Promise<unknown>): Promise<unknown> {
    this.#commandsInFlight += 1;
    let reply = await send();
    if (reply instanceof RedisFailure && damagePattern.test(reply.cause.message)) {
      if (await this.#deleteDamaged(keys)) reply = await send();
    }
    this.#commandsInFlight -= 1;
    if (reply instanceof RedisFailure && !this.#isClosed) {
      this.#options.problems.report(reply.kind, reply.cause.message);
    }
    return reply;
  }

  /** Whether a key was deleted. */
  async #deleteDamaged(keys: readonly string[]): Promise<boolean> {
    const { client, keys: names, problems } = this.#options;
    const checked = keys.filter((key) => names.formatOf(key) !== undefined);
    if (checked.length === 0) return false;
    const formats = checked.map((key) => names.formatOf(key) ?? '');
    const deleted = await client.runScript(deleteDamagedKeys, checked, formats);
    if (!Array.isArray(deleted)) return false;
    for (const key of deleted) {
      const message = `The key ${key} did not contain what gateways write, and was deleted. Find out what else writes keys that begin with redis.keyPrefix.`;
      problems.report('damaged key', message);
    }
    return deleted.length > 0;
  }
}
