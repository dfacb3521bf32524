import { ReadClient, type ReadClientOptions } from '../redis/readClient.ts';
import { createRedisScript, type RedisScript } from '../redis/redisClient.ts';

/** Redis as the rate limiter's library uses it, in place of an ioredis client. */
export class RateLimitStore {
  readonly #redis: ReadClient;
  #script: RedisScript = createRedisScript('');

  constructor(options: ReadClientOptions) {
    this.#redis = new ReadClient(options);
  }

  /** Called by the library with its script. */
  defineCommand(_: string, { lua }: { readonly lua: string }): void {
    this.#script = createRedisScript(lua);
  }

  /** Runs the script. Called by the library.
   *  @throws {Error} if Redis does not answer in time. */
  rlflxIncr([key = '', ...args]: readonly string[]): Promise<unknown> {
    return this.#redis.runScript(this.#script, [key], args);
  }

  close(): void {
    this.#redis.close();
  }
}
