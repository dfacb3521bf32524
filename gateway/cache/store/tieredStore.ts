import type {
  CacheDescription,
  CacheEntry,
  CacheResults,
  CacheStore,
  CacheWrite,
  InvalidationResult,
  ReadVersion,
} from './cacheStore.ts';
import { MemoryStore } from './memoryStore.ts';
import { RedisStore, type RedisStoreOptions } from './redisStore.ts';

interface TieredStoreOptions extends RedisStoreOptions {
  /** Bytes. */
  readonly maxSize: number;
}

/** An in-memory store in front of a Redis that several processes share. Copies in memory expire like their entries. They
 *  are dropped by invalidations of any process, and when invalidations may have been missed. */
export class TieredStore implements CacheStore {
  readonly #now: () => number;
  readonly #memory: MemoryStore;
  readonly #redis: RedisStore;

  constructor(options: TieredStoreOptions) {
    const { now, maxSize, onInvalidated, onInvalidationsResumed } = options;
    this.#now = now;
    this.#memory = new MemoryStore({ maxSize, now });
    this.#redis = new RedisStore({
      ...options,
      onInvalidated: (tags) => {
        void this.#memory.deleteByTags(tags);
        onInvalidated?.(tags);
      },
      onInvalidationsResumed: () => {
        this.#memory.clear();
        onInvalidationsResumed?.();
      },
    });
  }

  /** Bytes used in memory, at most `maxSize`. */
  get size(): number {
    return this.#memory.size;
  }

  /** The number of entries in memory. */
  get entryCount(): number {
    return this.#memory.entryCount;
  }

  get version(): string {
    return this.#redis.version;
  }

  beginRead(): ReadVersion {
    return {
      inProcess: this.#memory.beginRead().inProcess,
      shared: this.#redis.beginRead().shared,
    };
  }

  getMany(keys: readonly string[]): CacheResults | Promise<CacheResults> {
    const inMemory = this.#redis.isMissingInvalidations
      ? keys.map(() => undefined)
      : this.#memory.getMany(keys);
    const now = this.#now();
    if (inMemory.every((entry) => isFresh(entry, now))) return inMemory;
    // Redis may have a fresh entry for a stale copy, because another process refreshed it.
    const indexes = [...inMemory.keys()].filter((index) => !isFresh(inMemory[index], now));
    // Copies of entries from Redis must not undo an invalidation that happens during the read.
    const since = this.beginRead();
    const redisKeys = indexes.map((index) => keys[index] ?? '');
    const inRedis = this.#redis.getMany(redisKeys);
    return inRedis instanceof Promise
      ? inRedis.then((found) => this.#merge(inMemory, indexes, redisKeys, found, since))
      : this.#merge(inMemory, indexes, redisKeys, inRedis, since);
  }

  setMany(entries: readonly CacheWrite[], since: ReadVersion): void {
    this.#memory.setMany(entries, since);
    this.#redis.setMany(entries, since);
  }

  async deleteByTags(tags: readonly string[]): Promise<InvalidationResult> {
    const [inMemory, inRedis] = await Promise.all([
      this.#memory.deleteByTags(tags),
      this.#redis.deleteByTags(tags),
    ]);
    return { deleted: Math.max(inMemory.deleted, inRedis.deleted), isPending: inRedis.isPending };
  }

  claim(keys: readonly string[], ttlMs: number): readonly boolean[] | Promise<readonly boolean[]> {
    return this.#redis.claim(keys, ttlMs);
  }

  release(keys: readonly string[], afterMs: number): void {
    this.#redis.release(keys, afterMs);
  }

  async awaitClaimHolder(key: string, maxMs: number, signal: AbortSignal): Promise<CacheEntry | undefined> {
    let since = this.beginRead();
    const entry = await this.#redis.awaitClaimHolder(key, maxMs, signal, () => {
      since = this.beginRead();
    });
    if (entry !== undefined) this.#memory.setMany([{ ...entry, key }], since);
    return entry;
  }

  async describe(key: string): Promise<CacheDescription | undefined> {
    return (await this.#memory.describe(key)) ?? this.#redis.describe(key);
  }

  async keysWithTag(tag: string, limit: number): Promise<string[]> {
    const inMemory = await this.#memory.keysWithTag(tag, limit);
    const inRedis = await this.#redis.keysWithTag(tag, limit);
    return [...new Set([...inMemory, ...inRedis])].slice(0, limit);
  }

  /** Resolves when Redis has answered every write so far. */
  awaitWrites(): Promise<void> {
    return this.#redis.awaitWrites();
  }

  async close(withinMs = 0): Promise<void> {
    await this.#redis.close(withinMs);
    await this.#memory.close();
  }

  #merge(
    inMemory: CacheResults,
    indexes: readonly number[],
    keys: readonly string[],
    found: CacheResults,
    since: ReadVersion,
  ): CacheResults {
    const merged = [...inMemory];
    const copies: CacheWrite[] = [];
    for (const [position, index] of indexes.entries()) {
      const entry = found[position];
      if (entry === undefined || entry.storedAt < (merged[index]?.storedAt ?? Number.NEGATIVE_INFINITY))
        continue;
      merged[index] = entry;
      copies.push({ ...entry, key: keys[position] ?? '' });
    }
    if (copies.length > 0) this.#memory.setMany(copies, since);
    return merged;
  }
}

function isFresh(entry: CacheEntry | undefined, now: number): boolean {
  return entry !== undefined && entry.freshUntil > now;
}
