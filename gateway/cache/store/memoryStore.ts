import { LRUCache } from 'lru-cache';
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
import { InvalidationHistory } from './invalidationHistory.ts';
import { TagIndex } from './tagIndex.ts';

interface MemoryStoreOptions {
  /** Bytes of keys, values and tags together, with what it takes to keep them. */
  readonly maxSize: number;
  /** Milliseconds since 1970. */
  now(): number;
}

interface MemoryEntry extends CacheEntry {
  readonly readVersion: number;
}

// More would only serve writes that come in after thousands of other invalidations.
const maxRememberedTags = 10_000;

// Objects, map slots and list links of one entry, and of one of its tags; measured roughly, on the safe side.
const entryOverhead = 400;
const tagOverhead = 120;

/** Entries in the memory of this process. The least recently used leave first. */
export class MemoryStore implements CacheStore {
  readonly #now: () => number;
  readonly #entries: LRUCache<string, MemoryEntry>;
  readonly #index = new TagIndex();
  readonly #history = new InvalidationHistory(maxRememberedTags);

  constructor({ maxSize, now }: MemoryStoreOptions) {
    this.#now = now;
    this.#entries = new LRUCache<string, MemoryEntry>({
      maxSize,
      sizeCalculation: sizeOf,
      dispose: (entry, key) => this.#index.remove(key, entry.tags),
    });
  }

  /** Bytes in use, of at most `maxSize`. */
  get size(): number {
    return this.#entries.calculatedSize;
  }

  get entryCount(): number {
    return this.#entries.size;
  }

  /** Tags that anything stored has. */
  get tagCount(): number {
    return this.#index.tagCount;
  }

  beginRead(): ReadVersion {
    return { inProcess: this.#history.count, shared: 0 };
  }

  getMany(keys: readonly string[]): CacheResults {
    const now = this.#now();
    return keys.map((key) => this.#getUsable(key, now, true));
  }

  setMany(entries: readonly CacheWrite[], since: ReadVersion): void {
    const now = this.#now();
    for (const { key, ...entry } of entries) {
      if (usableUntil(entry) <= now) continue;
      if (this.#history.isInvalidatedSince(entry.tags, since.inProcess)) continue;
      const there = this.#entries.peek(key);
      if (there !== undefined && isNewer(there, entry, since)) continue;
      this.#entries.set(key, { ...entry, readVersion: since.inProcess });
      // One that is larger than the whole store is not kept.
      if (this.#entries.has(key)) this.#index.add(key, entry.tags);
    }
  }

  deleteByTags(tags: readonly string[]): Promise<InvalidationResult> {
    this.#history.record(tags);
    let deleted = 0;
    for (const tag of tags) {
      for (const key of this.#index.keysOf(tag)) if (this.#entries.delete(key)) deleted += 1;
    }
    return Promise.resolve({ deleted, isPending: false });
  }

  /** Deletes everything, and lets nothing in that began to be read before. */
  clear(): void {
    this.#history.recordAll();
    this.#entries.clear();
  }

  claim(keys: readonly string[], _ttlMs: number): readonly boolean[] {
    return keys.map(() => true);
  }

  release(_keys: readonly string[], _afterMs: number): void {}

  awaitClaimHolder(_key: string, _maxMs: number, _signal: AbortSignal): Promise<CacheEntry | undefined> {
    return Promise.resolve(undefined);
  }

  describe(key: string): Promise<CacheDescription | undefined> {
    const entry = this.#getUsable(key, this.#now(), false);
    return Promise.resolve(
      entry === undefined ? undefined : { entry, from: 'memory', bytes: sizeOf(entry, key) },
    );
  }

  keysWithTag(tag: string, limit: number): Promise<string[]> {
    return Promise.resolve(this.#index.keysOf(tag).slice(0, limit));
  }

  close(): Promise<void> {
    this.clear();
    return Promise.resolve();
  }

  #getUsable(key: string, now: number, isUse: boolean): CacheEntry | undefined {
    const entry = isUse ? this.#entries.get(key) : this.#entries.peek(key);
    if (entry === undefined || usableUntil(entry) > now) return entry;
    this.#entries.delete(key);
    return undefined;
  }
}

function isNewer(there: MemoryEntry, write: CacheEntry, since: ReadVersion): boolean {
  if (there.storedAt !== write.storedAt) return there.storedAt > write.storedAt;
  return there.readVersion > since.inProcess;
}

function sizeOf(entry: CacheEntry, key: string): number {
  let size = entryOverhead + textSize(key) + textSize(entry.value);
  for (const tag of entry.tags) size += tagOverhead + textSize(tag);
  return size;
}

// V8 keeps a text in bytes or, where a single character needs it, in pairs of bytes.
function textSize(text: string): number {
  return Buffer.byteLength(text) === text.length ? text.length : 2 * text.length;
}
