import { ReadCircuitBreaker } from '../redis/readCircuitBreaker.ts';
import { createRedisScript, RedisClient, type RedisScript } from '../redis/redisClient.ts';
import { RedisFailure } from '../redis/redisFailure.ts';
import type { RedisConfig } from '../redis/redisOptions.ts';
import type { Timers } from '../time/timers.ts';

interface RateLimitStoreOptions {
  readonly config: RedisConfig;
  readonly timers: Timers;
  /** A connection failed. */
  onFailure(failure: RedisFailure): void;
}

/** Redis as the rate limiter's library uses it, in place of an ioredis client. No command waits longer than
 *  `redis.timeouts.read`, and none is sent while Redis does not answer in time. */
export class RateLimitStore {
  readonly #options: RateLimitStoreOptions;
  readonly #client: RedisClient;
  readonly #breaker: ReadCircuitBreaker;
  #script: RedisScript = createRedisScript('');
  #commandsInFlight = 0;

  constructor(options: RateLimitStoreOptions) {
    const { config, timers, onFailure } = options;
    this.#options = options;
    this.#breaker = new ReadCircuitBreaker({
      timers,
      probeIntervalMs: config.timeouts.socket,
      probe: async () =>
        !((await this.#beforeTimeout(this.#client.sendCommand('ping', []))) instanceof Error),
    });
    this.#client = new RedisClient({ config, onReady: () => this.#breaker.reset(), onFailure });
  }

  /** Called by the library with its script. */
  defineCommand(_: string, { lua }: { readonly lua: string }): void {
    this.#script = createRedisScript(lua);
  }

  /** Runs the script. Called by the library.
   *  @throws {Error} if Redis does not answer in time. */
  async rlflxIncr([key = '', ...args]: readonly string[]): Promise<unknown> {
    if (!this.#client.isReady) throw new Error('Redis is not connected.');
    if (this.#breaker.isOpen) throw new Error('Redis did not answer in time before.');
    if (this.#commandsInFlight >= this.#options.config.maxInFlight) {
      throw new Error('Too many commands are in flight (redis.maxInFlight).');
    }
    this.#commandsInFlight += 1;
    const running = this.#client.runScript(this.#script, [key], args).finally(() => {
      this.#commandsInFlight -= 1;
    });
    const reply = await this.#beforeTimeout(running);
    if (reply instanceof Error) {
      this.#breaker.recordFailure();
      throw reply;
    }
    if (reply instanceof RedisFailure) throw reply.cause;
    this.#breaker.recordSuccess();
    return reply;
  }

  close(): void {
    this.#breaker.reset();
    this.#client.close();
  }

  /** Resolves with the reply, or with an error after the read timeout. */
  #beforeTimeout(reply: Promise<unknown>): Promise<unknown> {
    const { config, timers } = this.#options;
    return new Promise((resolve) => {
      // A busy process may have received the reply without having read it.
      const cancel = timers.after(config.timeouts.read, () =>
        setImmediate(() => resolve(new Error('Redis did not answer in time (redis.timeouts.read).'))),
      );
      void reply.then((value) => {
        cancel();
        resolve(value);
      });
    });
  }
}
