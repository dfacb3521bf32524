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

/** Memory of this process in front of a Redis that several share. Copies in memory live as long as their entries;
 *  an invalidation anywhere drops them here, and so does every moment at which one may have gone unheard. */
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

  /** Bytes in use in memory, of at most `maxSize`. */
  get size(): number {
    return this.#memory.size;
  }

  /** In memory. */
  get entryCount(): number {
    return this.#memory.entryCount;
  }

  beginRead(): ReadVersion {
    return {
      inProcess: this.#memory.beginRead().inProcess,
      shared: this.#redis.beginRead().shared,
    };
  }

  getMany(keys: readonly string[]): CacheResults | Promise<CacheResults> {
    const answers = this.#memory.getMany(keys);
    const now = this.#now();
    if (answers.every((entry) => isFresh(entry, now))) return answers;
    // What is stale here may be fresh there: another process may have asked for it since.
    const places = [...answers.keys()].filter((place) => !isFresh(answers[place], now));
    // What comes back was read before now, and must not undo an invalidation that comes in between.
    const since = this.beginRead();
    const asked = places.map((place) => keys[place] ?? '');
    const shared = this.#redis.getMany(asked);
    return shared instanceof Promise
      ? shared.then((found) => this.#merge(answers, places, asked, found, since))
      : this.#merge(answers, places, asked, shared, since);
  }

  setMany(entries: readonly CacheWrite[], since: ReadVersion): void {
    this.#memory.setMany(entries, since);
    this.#redis.setMany(entries, since);
  }

  async deleteByTags(tags: readonly string[]): Promise<InvalidationResult> {
    const here = await this.#memory.deleteByTags(tags);
    const there = await this.#redis.deleteByTags(tags);
    return { deleted: Math.max(here.deleted, there.deleted), isPending: there.isPending };
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
    const here = await this.#memory.keysWithTag(tag, limit);
    const there = await this.#redis.keysWithTag(tag, limit);
    return [...new Set([...here, ...there])].slice(0, limit);
  }

  /** Resolves when Redis has answered to every write so far. */
  awaitWrites(): Promise<void> {
    return this.#redis.awaitWrites();
  }

  async close(): Promise<void> {
    await this.#redis.close();
    await this.#memory.close();
  }

  #merge(
    answers: CacheResults,
    places: readonly number[],
    keys: readonly string[],
    found: CacheResults,
    since: ReadVersion,
  ): CacheResults {
    const merged = [...answers];
    const copies: CacheWrite[] = [];
    for (const [index, place] of places.entries()) {
      const entry = found[index];
      if (entry === undefined || entry.storedAt < (merged[place]?.storedAt ?? Number.NEGATIVE_INFINITY))
        continue;
      merged[place] = entry;
      copies.push({ ...entry, key: keys[index] ?? '' });
    }
    if (copies.length > 0) this.#memory.setMany(copies, since);
    return merged;
  }
}

function isFresh(entry: CacheEntry | undefined, now: number): boolean {
  return entry !== undefined && entry.freshUntil > now;
}
