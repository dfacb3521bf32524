import { randomUUID } from 'node:crypto';
import { RedisClient } from '../../redis/redisClient.ts';
import type { RedisFailure } from '../../redis/redisFailure.ts';
import type { RedisConfig } from '../../redis/redisOptions.ts';
import { RedisSubscriber } from '../../redis/redisSubscriber.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import {
  type CacheDescription,
  type CacheEntry,
  type CacheResults,
  type CacheStore,
  type CacheWrite,
  type InvalidationResult,
  maxClockSkewMs,
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
  readonly timers: Timers;
  /** The store accepts reads and writes, for the first time or again. */
  onReady?(): void;
  /** Another process invalidated these tags. */
  onInvalidated?(tags: readonly string[]): void;
  /** Invalidations of other processes may have been missed until now. From now on they are received. */
  onInvalidationsResumed?(): void;
}

// Invalidating a tag with more entries would block Redis for too long, and their keys in the tag's set would take more
// memory than the entries.
const maxEntriesPerTag = 1_000_000;

const minTagPageSize = 20;

// The nodes of a Cluster connect one after another, and a node can refuse commands for a while.
const prepareRetryMs = 1_000;

// Bounds the memory for writes to a Redis that does not answer.
const maxBytesInFlight = 32 * 1024 ** 2;

/** Stores entries in Redis, a single server or a Cluster, shared by several processes. A read that Redis does not answer
 *  within `redis.timeouts.read` is a miss. */
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
  #preparation: Preparation = { kind: 'idle' };
  #isSubscribed = false;
  /** Whether this process has heard of all invalidations, or has reported that it may not have. */
  #isCaughtUp = false;

  constructor(options: RedisStoreOptions) {
    const { config, problems, now, timers } = options;
    this.#options = options;
    this.#timers = timers;
    this.#keys = new RedisKeys(
      config.keyPrefix,
      config.cluster.nodes.length === 0 ? 1 : config.cluster.buckets,
    );
    const onFailure = ({ kind, cause }: RedisFailure): void => problems.report(kind, cause.message);
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
      onUnsubscribed: () => {
        this.#isSubscribed = false;
        this.#isCaughtUp = false;
      },
      onFailure,
      timers,
    });
  }

  get version(): string {
    return this.#invalidations.version;
  }

  /** Whether other processes may have invalidated entries in Redis without this one having heard of it, such as without
   *  permission for the channel. */
  get isMissingInvalidations(): boolean {
    return this.#buckets.isReady && !this.#isCaughtUp;
  }

  beginRead(): ReadVersion {
    return { inProcess: 0, shared: this.#invalidations.latestSequence };
  }

  getMany(keys: readonly string[]): CacheResults | Promise<CacheResults> {
    const entries = new Array<CacheEntry | undefined>(keys.length).fill(undefined);
    const indexesByBucket = this.#buckets.indexesByBucket(keys);
    if (indexesByBucket.size === 0) return entries;
    return this.#buckets
      .queryEach(
        indexesByBucket,
        (bucket, indexes) => {
          const names = indexes.map((index) => this.#keys.entry(bucket, keys[index] ?? ''));
          return this.#buckets.sendCommand('mget', names);
        },
        (bucket, indexes, reply) => {
          for (const [position, index] of indexes.entries()) {
            entries[index] = this.#decodeUsable(bucket, keys[index] ?? '', reply[position]);
          }
        },
      )
      .then(() => entries);
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

  /** `onPoll` is called before each read. */
  awaitClaimHolder(
    key: string,
    maxMs: number,
    signal: AbortSignal,
    onPoll?: () => void,
  ): Promise<CacheEntry | undefined> {
    return this.#claims.awaitHolder({
      key,
      maxMs,
      signal,
      ...(onPoll === undefined ? {} : { onPoll }),
    });
  }

  async describe(key: string): Promise<CacheDescription | undefined> {
    const [entry] = await this.getMany([key]);
    if (entry === undefined) return undefined;
    return { entry, from: 'redis', bytes: encodeEntry(key, { ...entry, readVersion: 0 }).length };
  }

  async keysWithTag(tag: string, limit: number): Promise<string[]> {
    const found: string[] = [];
    const pageSize = Math.max(limit, minTagPageSize);
    for (let bucket = 0, start = 0; bucket < this.#keys.buckets && found.length < limit; ) {
      const args = [this.#keys.tag(bucket, tag), start, start + pageSize - 1];
      // The entries that expire last are first.
      const names = await this.#buckets.withReadTimeout(this.#buckets.sendCommand('zrevrange', args));
      const keys = Array.isArray(names) ? names.map((name) => this.#keys.keyOf(bucket, String(name))) : [];
      // The set of a tag can contain keys of expired and deleted entries, and of entries with other tags.
      const entries = await this.getMany(keys);
      found.push(...keys.filter((_, index) => entries[index]?.tags.includes(tag)));
      start += pageSize;
      if (keys.length < pageSize) [bucket, start] = [bucket + 1, 0];
    }
    return found.slice(0, limit);
  }

  /** Resolves when Redis has answered every write so far. */
  awaitWrites(): Promise<void> {
    return this.#pendingWrites === 0
      ? Promise.resolve()
      : new Promise((resolve) => this.#writeWaiters.push(resolve));
  }

  async close(withinMs = 0): Promise<void> {
    await this.#invalidations.close(withinMs);
    this.#cancelPrepareRetry();
    this.#preparation = { kind: 'closed' };
    this.#buckets.close();
    this.#subscriber.close();
    this.#client.close();
  }

  #decodeUsable(bucket: number, key: string, bytes: unknown): StoredEntry | undefined {
    if (!Buffer.isBuffer(bytes)) return undefined;
    const entry = decodeEntry(key, bytes);
    if (entry === undefined) {
      this.#options.problems.report('unreadable entry');
      // A damaged entry could look newer than the entries that should replace it.
      void this.#buckets.sendCommand('unlink', [this.#keys.entry(bucket, key)]);
      return undefined;
    }
    if (this.#isFromFuture(entry)) return undefined;
    return this.#isExpired(entry) || this.#invalidations.isInvalidated(entry) ? undefined : entry;
  }

  /** Whether another process stored the entry by a clock that is ahead of this one. It would be fresh for too long. */
  #isFromFuture({ storedAt }: StoredEntry): boolean {
    const aheadMs = storedAt - this.#options.now();
    if (aheadMs <= maxClockSkewMs) return false;
    const message = `An entry was stored ${Math.round(aheadMs / 1_000)} s in the future and is not used. Synchronise the clocks of all gateways, for example with NTP.`;
    this.#options.problems.report('clock skew', message);
    return true;
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
    const maxStoredAt = this.#options.now() + maxClockSkewMs;
    const args = [since.shared, maxEntriesPerTag, maxStoredAt, write.count, ...write.args];
    const reply = await this.#buckets.runScript(writeEntries, write.keys, args);
    this.#pendingWrites -= 1;
    this.#bytesInFlight -= write.size;
    if (Array.isArray(reply)) {
      const [latest, rejected] = [String(reply[0]), Number(reply[1])];
      if (rejected > 0) problems.report('too many entries of a tag');
      // The bucket lost its state, for example because Redis was flushed.
      if (latest === '') void this.#prepare();
      else this.#invalidations.advanceTo(Number(latest));
    }
    if (this.#pendingWrites === 0) for (const resolve of this.#writeWaiters.splice(0)) resolve();
  }

  #onConnected(): void {
    this.#buckets.resetBreakers();
    this.#claims.releaseUnreleased();
    void this.#catchUpInvalidations();
    void this.#prepare();
  }

  /** To be called when messages arrive again: earlier ones may have been missed. */
  async #catchUpInvalidations(): Promise<void> {
    if (!this.#isSubscribed) return;
    if (this.#buckets.isReady) await this.#invalidations.readLog();
    this.#isCaughtUp = this.#isSubscribed;
    this.#options.onInvalidationsResumed?.();
  }

  async #prepare(): Promise<void> {
    if (this.#preparation.kind === 'running' || this.#preparation.kind === 'closed') return;
    this.#cancelPrepareRetry();
    const running: Preparation = { kind: 'running' };
    this.#preparation = running;
    const isReady = await this.#invalidations.prepare();
    if (this.#preparation !== running) return;
    this.#preparation = { kind: 'idle' };
    if (isReady) this.#options.onReady?.();
    // Without a connection there is no retry: the next connection prepares the store.
    else if (this.#buckets.isReady) {
      const cancel = this.#timers.after(prepareRetryMs, () => void this.#prepare());
      this.#preparation = { kind: 'retry scheduled', cancel };
    }
  }

  #cancelPrepareRetry(): void {
    if (this.#preparation.kind === 'retry scheduled') this.#preparation.cancel();
  }

  #onMessage(message: string): void {
    const invalidation = parseMessage(message);
    if (invalidation === undefined) {
      this.#options.problems.report('unreadable entry');
      return;
    }
    if (invalidation.from === this.#id) return;
    this.#invalidations.record(invalidation);
    if (invalidation.tags.length > 0) this.#options.onInvalidated?.(invalidation.tags);
  }
}

/** Preparation of the store for a new connection, or for buckets that lost their state. */
type Preparation =
  | { readonly kind: 'idle' | 'running' | 'closed' }
  | { readonly kind: 'retry scheduled'; readonly cancel: CancelTimer };

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
    const { from, sequence, tags } = JSON.parse(text);
    const isValid =
      typeof sequence === 'number' && Array.isArray(tags) && tags.every((tag) => typeof tag === 'string');
    return isValid ? { from, sequence, tags } : undefined;
  } catch {
    return undefined;
  }
}
