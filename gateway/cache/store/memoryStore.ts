import { LRUCache } from 'lru-cache';
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
import { ParsedValue, textSize } from './parsedValue.ts';

interface MemoryStoreOptions {
  /** The maximum number of bytes of keys, values and tags, including the overhead of storing them. */
  readonly maxSize: number;
  /** Milliseconds since 1970. */
  now(): number;
}

/** All entries have the same properties in the same order, so that reads of them stay fast. */
class MemoryEntry implements CacheEntry {
  readonly value: string;
  readonly storedAt: number;
  readonly freshUntil: number;
  readonly staleWhileRevalidateUntil: number;
  readonly staleIfErrorUntil: number;
  readonly tags: readonly string[];
  readonly readVersion: number;
  readonly usableUntil: number;
  parsed: ParsedValue | undefined = undefined;
  /** `MemoryStore.#writtenBytes` when its latest use was recorded; `never` before its first use. */
  usedAt = never;
  /** Whether it was read again after its first use, and parsed then if that is of use. */
  isRepeated = false;

  constructor(entry: CacheEntry, readVersion: number) {
    this.value = entry.value;
    this.storedAt = entry.storedAt;
    this.freshUntil = entry.freshUntil;
    this.staleWhileRevalidateUntil = entry.staleWhileRevalidateUntil;
    this.staleIfErrorUntil = entry.staleIfErrorUntil;
    this.tags = entry.tags;
    this.readVersion = readVersion;
    this.usableUntil = usableUntil(entry);
  }
}

// A larger history would only help writes that arrive after thousands of other invalidations.
const maxRememberedTags = 10_000;

// Bytes of the objects, map slots and list links for one entry, and for one of its tags. Rounded up from measurements.
const entryOverhead = 450;
const tagOverhead = 120;

const never = Number.NEGATIVE_INFINITY;

/** An entry whose use is recorded is evicted only after the store has written as many bytes as it holds. So the next uses are
 *  not recorded, until a part of these bytes is written: recording costs more than the read. */
const unrecordedPart = 1 / 8;

/** Stores entries in the memory of this process. Evicts the least recently used entries first. Entries that are read
 *  repeatedly are also stored parsed. */
export class MemoryStore implements CacheStore {
  readonly #now: () => number;
  readonly #maxSize: number;
  readonly #entries: LRUCache<string, MemoryEntry>;
  readonly #index = new TagIndex();
  readonly #history = new InvalidationHistory(maxRememberedTags);
  /** The size of all entries ever written. */
  #writtenBytes = 0;

  constructor({ maxSize, now }: MemoryStoreOptions) {
    this.#now = now;
    this.#maxSize = maxSize;
    this.#entries = new LRUCache<string, MemoryEntry>({
      maxSize,
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

  /** The number of tags of all stored entries. */
  get tagCount(): number {
    return this.#index.tagCount;
  }

  get version(): string {
    return String(this.#history.count);
  }

  beginRead(): ReadVersion {
    return { inProcess: this.#history.count, shared: 0 };
  }

  getMany(keys: readonly string[]): CacheResults {
    const now = this.#now();
    const entries: (CacheEntry | undefined)[] = [];
    for (const key of keys) {
      const entry = this.#getUsable(key, now);
      if (entry !== undefined) this.#recordUse(key, entry);
      entries.push(entry);
    }
    return entries;
  }

  setMany(entries: readonly CacheWrite[], since: ReadVersion): void {
    const now = this.#now();
    for (const { key, ...entry } of entries) {
      if (usableUntil(entry) <= now) continue;
      if (this.#history.isInvalidatedSince(entry.tags, since.inProcess)) continue;
      const stored = this.#getUsable(key, now);
      if (stored !== undefined && isNewer(stored, entry, since)) continue;
      this.#set(key, new MemoryEntry(entry, since.inProcess));
    }
  }

  deleteByTags(tags: readonly string[]): Promise<InvalidationResult> {
    this.#history.record(tags);
    const now = this.#now();
    let deleted = 0;
    for (const tag of tags) {
      for (const key of this.#index.keysOf(tag)) {
        if (this.#getUsable(key, now) !== undefined && this.#entries.delete(key)) deleted += 1;
      }
    }
    return Promise.resolve({ deleted, isPending: false });
  }

  /** Deletes all entries, and rejects writes whose reads began before. */
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
    const entry = this.#getUsable(key, this.#now());
    return Promise.resolve(
      entry === undefined ? undefined : { entry, from: 'memory', bytes: sizeOf(entry, key) },
    );
  }

  keysWithTag(tag: string, limit: number): Promise<string[]> {
    const now = this.#now();
    const usable: string[] = [];
    for (const key of this.#index.keysOf(tag)) {
      if (usable.length === limit) break;
      if (this.#getUsable(key, now) !== undefined) usable.push(key);
    }
    return Promise.resolve(usable);
  }

  close(): Promise<void> {
    this.clear();
    return Promise.resolve();
  }

  #getUsable(key: string, now: number): MemoryEntry | undefined {
    const entry = this.#entries.peek(key);
    if (entry === undefined) return undefined;
    if (entry.usableUntil > now && entry.storedAt <= now + maxClockSkewMs) return entry;
    this.#entries.delete(key);
    return undefined;
  }

  #set(key: string, entry: MemoryEntry): void {
    const size = sizeOf(entry, key);
    this.#writtenBytes += size;
    this.#entries.set(key, entry, { size });
    // An entry that is larger than the whole store is not stored.
    if (this.#entries.has(key)) this.#index.add(key, entry.tags);
  }

  #recordUse(key: string, entry: MemoryEntry): void {
    if (entry.usedAt !== never && !entry.isRepeated) {
      entry.isRepeated = true;
      this.#parse(key, entry);
    }
    if (this.#writtenBytes - entry.usedAt < this.#maxSize * unrecordedPart) return;
    entry.usedAt = this.#writtenBytes;
    this.#entries.get(key);
  }

  /** Stores the entry again, with its parsed value, because its size changes. */
  #parse(key: string, entry: MemoryEntry): void {
    const parsed = ParsedValue.parse(entry.value);
    if (parsed === undefined || sizeOf(entry, key) + parsed.size > this.#maxSize) return;
    this.#entries.delete(key);
    entry.parsed = parsed;
    this.#set(key, entry);
  }
}

function isNewer(stored: MemoryEntry, write: CacheEntry, since: ReadVersion): boolean {
  if (stored.storedAt !== write.storedAt) return stored.storedAt > write.storedAt;
  return stored.readVersion > since.inProcess;
}

function sizeOf(entry: CacheEntry, key: string): number {
  let size = entryOverhead + textSize(key) + textSize(entry.value) + (entry.parsed?.size ?? 0);
  for (const tag of entry.tags) size += tagOverhead + textSize(tag);
  return size;
}

/** The keys of stored entries by tag. */
class TagIndex {
  readonly #keys = new Map<string, Set<string>>();

  add(key: string, tags: readonly string[]): void {
    for (const tag of tags) {
      const keys = this.#keys.get(tag);
      if (keys === undefined) this.#keys.set(tag, new Set([key]));
      else keys.add(key);
    }
  }

  remove(key: string, tags: readonly string[]): void {
    for (const tag of tags) {
      const keys = this.#keys.get(tag);
      keys?.delete(key);
      if (keys?.size === 0) this.#keys.delete(tag);
    }
  }

  /** A copy, which does not change when keys are removed. */
  keysOf(tag: string): readonly string[] {
    return [...(this.#keys.get(tag) ?? [])];
  }

  get tagCount(): number {
    return this.#keys.size;
  }
}

/** Remembers the latest invalidation of each tag in this process. Times are counts of invalidations. Beyond `limit` tags it
 *  forgets them, and every read that began earlier counts as invalidated. */
class InvalidationHistory {
  readonly #limit: number;
  readonly #countByTag = new Map<string, number>();
  #floor = 0;
  #count = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The number of invalidations so far. */
  get count(): number {
    return this.#count;
  }

  record(tags: readonly string[]): void {
    this.#count += 1;
    for (const tag of tags) this.#countByTag.set(tag, this.#count);
    if (this.#countByTag.size > this.#limit) this.#truncate();
  }

  recordAll(): void {
    this.#count += 1;
    this.#truncate();
  }

  /** Whether one of the tags was invalidated after the read that began at this count. */
  isInvalidatedSince(tags: readonly string[], since: number): boolean {
    if (since === this.#count) return false;
    return since < this.#floor || tags.some((tag) => (this.#countByTag.get(tag) ?? 0) > since);
  }

  #truncate(): void {
    this.#countByTag.clear();
    this.#floor = this.#count;
  }
}
