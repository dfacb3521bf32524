import type { ParsedValue } from './parsedValue.ts';

/** The stored answer for one entity or one root field. Times are milliseconds since 1970. */
export interface CacheEntry {
  /** JSON text. */
  readonly value: string;
  /** When the subgraph generated the value. Of two entries of one key, the later one is stored. */
  readonly storedAt: number;
  readonly freshUntil: number;
  readonly staleWhileRevalidateUntil: number;
  readonly staleIfErrorUntil: number;
  /** Subgraph, type, entity and custom tags. They contain no NUL. */
  readonly tags: readonly string[];
  /** `value`, if this copy of the entry is in memory and is read repeatedly. */
  readonly parsed?: ParsedValue | undefined;
}

export interface CacheWrite extends CacheEntry {
  readonly key: string;
}

/** An entry that was stored more than this many milliseconds in the future is not used: the clock of its writer is ahead,
 *  or the clock of this process was set back. The entry would be fresh for that much longer than its rule allows. */
export const maxClockSkewMs = 5_000;

/** The moment when a read from a subgraph began, as the number of invalidations that the store had seen by then. A write
 *  is rejected if one of its tags was invalidated after it. */
export interface ReadVersion {
  /** Invalidations of the in-memory store. */
  readonly inProcess: number;
  /** The sequence number of the latest invalidation in the shared store. */
  readonly shared: number;
}

/** One result for each key, in the order of the keys. */
export type CacheResults = readonly (CacheEntry | undefined)[];

export interface InvalidationResult {
  /** The number of deleted entries, without expired ones. */
  readonly deleted: number;
  /** Some entries could not be deleted yet. This process does not serve them any more, and deletes them as soon as it
   *  can. */
  readonly isPending: boolean;
}

export interface CacheDescription {
  readonly entry: CacheEntry;
  readonly from: 'memory' | 'redis';
  /** The approximate size there. */
  readonly bytes: number;
}

/** Stores values of subgraphs. Its methods never throw or reject: an entry that cannot be read in time is a miss, and an
 *  entry that cannot be written is dropped. */
export interface CacheStore {
  /** Changes with each invalidation that the store hears of. Processes that share a store and have heard of the same
   *  invalidations have the same one. */
  readonly version: string;

  /** Call it before a subgraph request, and pass the result to `setMany` with the values. */
  beginRead(): ReadVersion;

  /** Reads entries, including stale ones: the caller must check their times. Returns no promise if memory has all
   *  entries. */
  getMany(keys: readonly string[]): CacheResults | Promise<CacheResults>;

  /** Stores entries in the background. Drops entries whose tags were invalidated since the read began, and entries that
   *  are older than the stored ones. */
  setMany(entries: readonly CacheWrite[], since: ReadVersion): void;

  /** Deletes entries with any of these tags. When it resolves, no subgraph read that began before the call can store such
   *  an entry. */
  deleteByTags(tags: readonly string[]): Promise<InvalidationResult>;

  /** Claims the right to fetch the values of these keys, for at most `ttlMs`. Returns for each key whether this process has
   *  the claim; it also has if the store does not answer in time. Returns no promise if there is only one process, whose
   *  single flight already deduplicates fetches. */
  claim(keys: readonly string[], ttlMs: number): readonly boolean[] | Promise<readonly boolean[]>;

  /** Releases claims of this process. They cannot be claimed for another `afterMs`, and no process waits for them. */
  release(keys: readonly string[], afterMs: number): void;

  /** Waits at most `maxMs` until the claim holder of a key stores an entry. Resolves with that entry, or with `undefined`
   *  when the claim is released without one, the time is over or the wait is aborted. */
  awaitClaimHolder(key: string, maxMs: number, signal: AbortSignal): Promise<CacheEntry | undefined>;

  /** Describes an entry for operators. */
  describe(key: string): Promise<CacheDescription | undefined>;

  /** At most `limit` keys of usable entries with a tag. */
  keysWithTag(tag: string, limit: number): Promise<string[]>;

  /** Waits at most `withinMs` for invalidations that the shared store has not taken, by default not at all. */
  close(withinMs?: number): Promise<void>;
}

/** When an entry expires for every use. */
export function usableUntil(entry: CacheEntry): number {
  return Math.max(entry.freshUntil, entry.staleWhileRevalidateUntil, entry.staleIfErrorUntil);
}
