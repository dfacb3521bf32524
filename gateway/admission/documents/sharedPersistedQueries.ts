import type { GatewayConfig } from '../../config/schema.ts';
import { ReadClient } from '../../redis/readClient.ts';
import { isRedisConfigured, type RedisConfig } from '../../redis/redisOptions.ts';
import { ProblemLog, type ProblemLogOptions } from '../../telemetry/problemLog.ts';
import type { Timers } from '../../time/timers.ts';

interface SharedPersistedQueriesOptions {
  readonly config: RedisConfig;
  /** How long a text is stored after its last use by a process that did not know it, in milliseconds. */
  readonly ttlMs: number;
  /** Characters of new texts that this process stores in `ttlMs`. Clients choose what they register: they could fill Redis,
   *  which has the jobs and the cache, too. */
  readonly maxNewCharacters: number;
  readonly timers: Timers;
  readonly log: ProblemLogOptions['log'];
  /** Milliseconds since 1970. */
  now(): number;
}

/** Creates what all processes share; `undefined` without Redis, or if nothing is registered. */
export function createSharedPersistedQueries({
  config: { redis, http, planning, security },
  ...context
}: Pick<SharedPersistedQueriesOptions, 'timers' | 'log' | 'now'> & {
  readonly config: GatewayConfig;
}): SharedPersistedQueries | undefined {
  const { enabled, ttl: ttlMs } = http.persistedQueries;
  if (!enabled || !isRedisConfigured(redis) || security.trustedDocuments.mode === 'require') return undefined;
  const maxNewCharacters = planning.textCacheSize;
  return new SharedPersistedQueries({ ...context, config: redis, ttlMs, maxNewCharacters });
}

/** The texts of automatic persisted queries in Redis. While Redis does not answer, no text is found, and clients register
 *  theirs again. */
export class SharedPersistedQueries {
  readonly #options: SharedPersistedQueriesOptions;
  readonly #redis: ReadClient;
  readonly #problems: ProblemLog<'redis'>;
  /** Whether the current outage of Redis is in the log. */
  #isReported = false;
  #periodFrom = Number.NEGATIVE_INFINITY;
  /** Characters of new texts that were stored since `#periodFrom`. */
  #newCharacters = 0;

  constructor(options: SharedPersistedQueriesOptions) {
    const { config, timers, log, now } = options;
    this.#options = options;
    this.#problems = new ProblemLog({
      log,
      now,
      message: 'Persisted queries are not shared with other processes, because Redis cannot be used',
    });
    this.#redis = new ReadClient({ config, timers, onFailure: ({ cause }) => this.#report(cause) });
  }

  /** Never rejects. */
  async get(sha256: string): Promise<string | undefined> {
    const reply = await this.#send('get', [this.#keyOf(sha256)]);
    if (!(reply instanceof Buffer)) return undefined;
    void this.#send('pexpire', [this.#keyOf(sha256), this.#options.ttlMs]);
    return reply.toString();
  }

  /** Does not wait for Redis. Stores nothing more in this period after the first new text beyond the limit. `isNew`: this
   *  process did not know the text. */
  set(sha256: string, text: string, isNew: boolean): void {
    const { timers, ttlMs, maxNewCharacters } = this.#options;
    if (timers.now() - this.#periodFrom >= ttlMs) {
      this.#periodFrom = timers.now();
      this.#newCharacters = 0;
    }
    if (isNew) this.#newCharacters += text.length;
    if (this.#newCharacters > maxNewCharacters) return;
    void this.#send('set', [this.#keyOf(sha256), text, 'PX', this.#options.ttlMs]);
  }

  async close(): Promise<void> {
    this.#redis.close();
  }

  async #send(command: string, args: readonly (string | number)[]): Promise<unknown> {
    try {
      const reply = await this.#redis.sendCommand(command, args);
      this.#isReported = false;
      return reply;
    } catch (error) {
      this.#report(error as Error);
      return undefined;
    }
  }

  #report({ message }: Error): void {
    if (this.#isReported) return;
    this.#isReported = true;
    this.#problems.report('redis', message);
  }

  #keyOf(sha256: string): string {
    return `${this.#options.config.keyPrefix}apq:${sha256}`;
  }
}
