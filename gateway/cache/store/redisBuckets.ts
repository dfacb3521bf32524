import type { RedisArgument, RedisClient, RedisScript } from '../../redis/redisClient.ts';
import { RedisFailure } from '../../redis/redisFailure.ts';
import type { RedisConfig } from '../../redis/redisOptions.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import { ReadCircuitBreaker } from './readCircuitBreaker.ts';
import type { RedisKeys } from './redisKeys.ts';
import type { StoreProblems } from './storeProblems.ts';

interface RedisBucketsOptions {
  readonly config: RedisConfig;
  readonly client: RedisClient;
  readonly keys: RedisKeys;
  readonly timers: Timers;
  readonly problems: StoreProblems;
}

const maxGraceMs = 10;

/** Asks Redis bucket by bucket, for no longer than `redis.timeouts.read` and for nothing where it would be in vain.
 *  Failures are counted here; nothing rejects. */
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

  /** Whether there is a connection. */
  get isReady(): boolean {
    return this.#options.client.isReady;
  }

  /** Whether a command more may be sent. */
  get hasRoom(): boolean {
    return this.#commandsInFlight < this.#options.config.maxInFlight;
  }

  /** Of each bucket that may be asked now, the places of its keys. */
  indexesByBucket(keys: readonly string[]): Map<number, number[]> {
    const { config, problems } = this.#options;
    const places = new Map<number, number[]>();
    if (keys.length === 0) return places;
    if (!this.isReady) {
      problems.report('unreachable');
      return places;
    }
    for (const [place, key] of keys.entries()) {
      const bucket = this.#options.keys.bucketOf(key);
      const there = places.get(bucket);
      if (there !== undefined) there.push(place);
      else if (this.#breakers[bucket]?.isOpen !== true) places.set(bucket, [place]);
    }
    if (this.#commandsInFlight + places.size <= config.maxInFlight) return places;
    problems.report('too many in flight');
    return new Map();
  }

  /** Resolves when all these buckets have answered, or when the deadline of a read is over. `take` gets the replies
   *  that are lists and came before. */
  queryEach(
    places: ReadonlyMap<number, readonly number[]>,
    ask: (bucket: number, ofBucket: readonly number[]) => Promise<unknown>,
    take: (bucket: number, ofBucket: readonly number[], reply: readonly unknown[]) => void,
  ): Promise<void> {
    if (places.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const waiting = new Set(places.keys());
      const end = (): void => {
        cancelTimer();
        resolve();
      };
      const cancelTimer = this.#scheduleReadTimeout(() => {
        this.#options.problems.report('timeout');
        for (const bucket of waiting) this.#breakers[bucket]?.recordFailure();
        waiting.clear();
        end();
      });
      for (const [bucket, ofBucket] of places) {
        void ask(bucket, ofBucket).then((reply) => {
          // Answered after the deadline: nobody waits for it any more.
          if (!waiting.delete(bucket)) return;
          if (Array.isArray(reply)) {
            this.#breakers[bucket]?.recordSuccess();
            take(bucket, ofBucket, reply);
          }
          if (waiting.size === 0) end();
        });
      }
    });
  }

  /** What is there within the deadline of a read, else `undefined`. */
  withReadTimeout(reply: Promise<unknown>): Promise<unknown> {
    return new Promise((resolve) => {
      const cancelTimer = this.#scheduleReadTimeout(() => resolve(undefined));
      void reply.then((value) => {
        cancelTimer();
        resolve(value);
      });
    });
  }

  sendCommand(command: string, args: readonly RedisArgument[]): Promise<unknown> {
    return this.#trackCommand(this.#options.client.sendCommand(command, args));
  }

  runScript(script: RedisScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    return this.#trackCommand(this.#options.client.runScript(script, keys, args));
  }

  /** There is a new connection: what the one before did not answer says nothing about it. */
  resetBreakers(): void {
    for (const breaker of this.#breakers) breaker.reset();
  }

  close(): void {
    this.#isClosed = true;
    this.resetBreakers();
  }

  /** Not before what has come by then has been read: what a busy process leaves lying is no fault of Redis, and to ask
   *  subgraphs instead would make it busier. */
  #scheduleReadTimeout(run: () => void): CancelTimer {
    const { timers, config } = this.#options;
    const { read } = config.timeouts;
    let sentAt = Number.POSITIVE_INFINITY;
    let immediate = setImmediate(() => {
      sentAt = performance.now();
    });
    let cancelTimer = timers.after(read, () => {
      const left = sentAt + read - performance.now();
      // A busy process sends late, and its timers begin in the past: then Redis has had no time at all.
      if (left > 1) cancelTimer = timers.after(Math.min(left, maxGraceMs), readFirst);
      else readFirst();
    });
    function readFirst(): void {
      immediate = setImmediate(run);
    }
    return () => {
      clearImmediate(immediate);
      cancelTimer();
    };
  }

  async #probe(bucket: number): Promise<boolean> {
    const reply = await this.withReadTimeout(
      this.sendCommand('hget', [this.#options.keys.state(bucket), 'floor']),
    );
    return reply !== undefined && !(reply instanceof RedisFailure);
  }

  async #trackCommand(asked: Promise<unknown>): Promise<unknown> {
    this.#commandsInFlight += 1;
    const reply = await asked;
    this.#commandsInFlight -= 1;
    if (reply instanceof RedisFailure && !this.#isClosed) {
      this.#options.problems.report(reply.kind, { err: reply.cause });
    }
    return reply;
  }
}
