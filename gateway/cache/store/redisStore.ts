import { randomUUID } from 'node:crypto';
import { RedisClient } from '../../redis/redisClient.ts';
import type { RedisFailure } from '../../redis/redisFailure.ts';
import type { RedisConfig } from '../../redis/redisOptions.ts';
import { RedisSubscriber } from '../../redis/redisSubscriber.ts';
import { type CancelTimer, systemTimers, type Timers } from '../../time/timers.ts';
import {
  type CacheDescription,
  type CacheEntry,
  type CacheResults,
  type CacheStore,
  type CacheWrite,
  type InvalidationResult,
  type ReadVersion,
  usableUntil,
} from './cacheStore.ts';
import { decodeEntry, encodeEntry, type StoredEntry } from './entryCodec.ts';
import { RedisBuckets } from './redisBuckets.ts';
import { RedisClaims } from './redisClaims.ts';
import { type Invalidation, RedisInvalidations } from './redisInvalidations.ts';
import { RedisKeys } from './redisKeys.ts';
import { writeEntries } from './redisScripts.ts';
import type { StoreProblems } from './storeProblems.ts';

export interface RedisStoreOptions {
  readonly config: RedisConfig;
  readonly problems: StoreProblems;
  /** Milliseconds since 1970. */
  now(): number;
  readonly timers?: Timers;
  /** Entries can be stored and read, for the first time or again. */
  onReady?(): void;
  /** Another process has invalidated these. */
  onInvalidated?(tags: readonly string[]): void;
  /** Invalidations of other processes may have gone unheard until now; from here on they are heard. */
  onInvalidationsResumed?(): void;
}

// A tag that more entries have than this holds up Redis for too long when it is invalidated, and takes memory of
// which a small part is entries.
const maxEntriesPerTag = 1_000_000;

// A Cluster's nodes are not there all at once, and a bucket may be refused for a while.
const prepareRetryMs = 1_000;

// What waits to be sent to a Redis that does not read.
const maxBytesInFlight = 32 * 1024 ** 2;

/** Entries in Redis, one or a Cluster, that several processes share. What Redis does not answer within
 *  `redis.timeouts.read` is a miss. */
export class RedisStore implements CacheStore {
  readonly #options: RedisStoreOptions;
  readonly #timers: Timers;
  readonly #keys: RedisKeys;
  readonly #client: RedisClient;
  readonly #buckets: RedisBuckets;
  readonly #subscriber: RedisSubscriber;
  readonly #invalidations: RedisInvalidations;
  readonly #claims: RedisClaims;
  readonly #id = randomUUID();
  readonly #writeWaiters: (() => void)[] = [];
  #bytesInFlight = 0;
  #pendingWrites = 0;
  #isPreparing = false;
  #cancelPrepareRetry: CancelTimer = () => {};
  #isSubscribed = false;
  #isClosed = false;

  constructor(options: RedisStoreOptions) {
    const { config, problems, now, timers = systemTimers } = options;
    this.#options = options;
    this.#timers = timers;
    this.#keys = new RedisKeys(
      config.keyPrefix,
      config.cluster.nodes.length === 0 ? 1 : config.cluster.buckets,
    );
    const onFailure = ({ kind, cause }: RedisFailure): void => problems.report(kind, { err: cause });
    this.#client = new RedisClient({ config, onReady: () => this.#onConnected(), onFailure });
    this.#buckets = new RedisBuckets({ config, client: this.#client, keys: this.#keys, timers, problems });
    this.#invalidations = new RedisInvalidations({
      keys: this.#keys,
      senderId: this.#id,
      timers,
      problems,
      sendCommand: (command, args) => this.#buckets.sendCommand(command, args),
      runScript: (script, keys, args) => this.#buckets.runScript(script, keys, args),
    });
    this.#claims = new RedisClaims({
      buckets: this.#buckets,
      keys: this.#keys,
      timers,
      now,
      decodeUsable: (bucket, key, bytes) => this.#decodeUsable(bucket, key, bytes),
    });
    this.#subscriber = new RedisSubscriber({
      config,
      channel: this.#keys.channel,
      onMessage: (message) => this.#onMessage(message),
      onSubscribed: () => {
        this.#isSubscribed = true;
        void this.#catchUpInvalidations();
      },
      onFailure,
      timers,
    });
  }

  beginRead(): ReadVersion {
    return { inProcess: 0, shared: this.#invalidations.latestSequence };
  }

  getMany(keys: readonly string[]): CacheResults | Promise<CacheResults> {
    const answers = new Array<CacheEntry | undefined>(keys.length).fill(undefined);
    const places = this.#buckets.indexesByBucket(keys);
    if (places.size === 0) return answers;
    return this.#buckets
      .queryEach(
        places,
        (bucket, ofBucket) => {
          const names = ofBucket.map((place) => this.#keys.entry(bucket, keys[place] ?? ''));
          return this.#buckets.sendCommand('mget', names);
        },
        (bucket, ofBucket, reply) => {
          for (const [index, place] of ofBucket.entries()) {
            answers[place] = this.#decodeUsable(bucket, keys[place] ?? '', reply[index]);
          }
        },
      )
      .then(() => answers);
  }

  setMany(entries: readonly CacheWrite[], since: ReadVersion): void {
    if (!this.#buckets.isReady) return;
    const now = this.#options.now();
    const byBucket = new Map<number, BucketWrite>();
    for (const { key, ...entry } of entries) {
      const ttl = Math.ceil(usableUntil(entry) - now);
      if (ttl <= 0) continue;
      const bucket = this.#keys.bucketOf(key);
      let write = byBucket.get(bucket);
      if (write === undefined) {
        write = { keys: [this.#keys.state(bucket)], args: [], count: 0, size: 0 };
        byBucket.set(bucket, write);
      }
      const bytes = encodeEntry(key, { ...entry, readVersion: since.shared });
      const tags = [...new Set(entry.tags)];
      write.keys.push(this.#keys.entry(bucket, key), ...tags.map((tag) => this.#keys.tag(bucket, tag)));
      write.args.push(bytes, ttl, entry.storedAt, tags.length, ...tags);
      write.count += 1;
      write.size += bytes.length;
    }
    for (const write of byBucket.values()) void this.#write(write, since);
  }

  deleteByTags(tags: readonly string[]): Promise<InvalidationResult> {
    return this.#invalidations.delete(tags, this.#options.config.timeouts.invalidation);
  }

  claim(keys: readonly string[], ttlMs: number): readonly boolean[] | Promise<readonly boolean[]> {
    return this.#claims.claim(keys, ttlMs);
  }

  release(keys: readonly string[], afterMs: number): void {
    this.#claims.release(keys, afterMs);
  }

  /** `onAsk` is called each time before Redis is asked. */
  awaitClaimHolder(
    key: string,
    maxMs: number,
    signal: AbortSignal,
    onAsk?: () => void,
  ): Promise<CacheEntry | undefined> {
    return this.#claims.awaitHolder({
      key,
      maxMs,
      signal,
      ...(onAsk === undefined ? {} : { onPoll: onAsk }),
    });
  }

  async describe(key: string): Promise<CacheDescription | undefined> {
    const [entry] = await this.getMany([key]);
    if (entry === undefined) return undefined;
    return { entry, from: 'redis', bytes: encodeEntry(key, { ...entry, readVersion: 0 }).length };
  }

  async keysWithTag(tag: string, limit: number): Promise<string[]> {
    const found: string[] = [];
    for (let bucket = 0; bucket < this.#keys.buckets && found.length < limit; bucket++) {
      const args = [this.#keys.tag(bucket, tag), 0, limit - found.length - 1];
      const entries = await this.#buckets.withReadTimeout(this.#buckets.sendCommand('zrange', args));
      if (!Array.isArray(entries)) continue;
      found.push(...entries.map((entry) => this.#keys.keyOf(bucket, String(entry))));
    }
    // A set also names what is gone, or has other tags by now.
    const answers = await this.getMany(found);
    return found.filter((_, index) => answers[index]?.tags.includes(tag));
  }

  /** Resolves when Redis has answered to every write so far. */
  awaitWrites(): Promise<void> {
    return this.#pendingWrites === 0
      ? Promise.resolve()
      : new Promise((resolve) => this.#writeWaiters.push(resolve));
  }

  close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelPrepareRetry();
    this.#buckets.close();
    this.#invalidations.close();
    this.#subscriber.close();
    this.#client.close();
    return Promise.resolve();
  }

  #decodeUsable(bucket: number, key: string, bytes: unknown): StoredEntry | undefined {
    if (!Buffer.isBuffer(bytes)) return undefined;
    const entry = decodeEntry(key, bytes);
    if (entry === undefined) {
      this.#options.problems.report('unreadable entry');
      // Otherwise it might look newer than what should take its place.
      void this.#buckets.sendCommand('unlink', [this.#keys.entry(bucket, key)]);
      return undefined;
    }
    return this.#isExpired(entry) || this.#invalidations.isInvalidated(entry) ? undefined : entry;
  }

  #isExpired(entry: StoredEntry): boolean {
    return usableUntil(entry) <= this.#options.now();
  }

  async #write(write: BucketWrite, since: ReadVersion): Promise<void> {
    const { problems } = this.#options;
    if (!this.#buckets.hasRoom || this.#bytesInFlight + write.size > maxBytesInFlight) {
      problems.report('too many in flight');
      return;
    }
    this.#pendingWrites += 1;
    this.#bytesInFlight += write.size;
    const args = [since.shared, maxEntriesPerTag, write.count, ...write.args];
    const reply = await this.#buckets.runScript(writeEntries, write.keys, args);
    this.#pendingWrites -= 1;
    this.#bytesInFlight -= write.size;
    if (Array.isArray(reply)) {
      const [latest, full] = [String(reply[0]), Number(reply[1])];
      if (full > 0) problems.report('too many entries of a tag');
      // The bucket has been emptied, with all it knew of invalidations.
      if (latest === '') void this.#prepare();
      else this.#invalidations.advanceTo(Number(latest));
    }
    if (this.#pendingWrites === 0) for (const resolve of this.#writeWaiters.splice(0)) resolve();
  }

  #onConnected(): void {
    this.#buckets.resetBreakers();
    void this.#catchUpInvalidations();
    void this.#prepare();
  }

  /** Messages come, but those of before may be missed. */
  async #catchUpInvalidations(): Promise<void> {
    if (!this.#isSubscribed) return;
    if (this.#buckets.isReady) await this.#invalidations.readLog();
    this.#options.onInvalidationsResumed?.();
  }

  async #prepare(): Promise<void> {
    if (this.#isPreparing || this.#isClosed) return;
    this.#isPreparing = true;
    this.#cancelPrepareRetry();
    const isReady = await this.#invalidations.prepare();
    this.#isPreparing = false;
    if (this.#isClosed) return;
    if (isReady) this.#options.onReady?.();
    // Without a connection, the next one begins with it.
    else if (this.#buckets.isReady) {
      this.#cancelPrepareRetry = this.#timers.after(prepareRetryMs, () => void this.#prepare());
    }
  }

  #onMessage(message: string): void {
    const invalidation = parseMessage(message);
    if (invalidation === undefined) {
      this.#options.problems.report('unreadable entry');
      return;
    }
    if (invalidation.from === this.#id) return;
    this.#invalidations.record(invalidation);
    this.#options.onInvalidated?.(invalidation.tags);
  }
}

interface BucketWrite {
  readonly keys: string[];
  readonly args: (string | number | Buffer)[];
  count: number;
  size: number;
}

interface Message extends Invalidation {
  readonly from: string;
}

function parseMessage(text: string): Message | undefined {
  try {
    const { from, number, tags } = JSON.parse(text);
    const isRight =
      typeof number === 'number' && Array.isArray(tags) && tags.every((tag) => typeof tag === 'string');
    return isRight ? { from, sequence: number, tags } : undefined;
  } catch {
    return undefined;
  }
}
