/** What a store keeps under one key: the answer for one entity, or for one root field. Times are milliseconds since
 *  1970. */
export interface CacheEntry {
  /** JSON text. */
  readonly value: string;
  /** When the subgraph knew this to be right; of two entries of one key, the later one stays. */
  readonly storedAt: number;
  readonly freshUntil: number;
  readonly staleWhileRevalidateUntil: number;
  readonly staleIfErrorUntil: number;
  /** What it can be invalidated by: type, entity, subgraph, and tags of its own. No NUL in them. */
  readonly tags: readonly string[];
}

export interface CacheWrite extends CacheEntry {
  readonly key: string;
}

/** The moment at which something began to be read from a subgraph, counted in invalidations that a store knew of
 *  by then. */
export interface ReadVersion {
  /** Of the memory of this process. */
  readonly inProcess: number;
  /** Of what all processes share. */
  readonly shared: number;
}

/** One for each key, in the order of the keys. */
export type CacheResults = readonly (CacheEntry | undefined)[];

export interface InvalidationResult {
  /** Entries that are gone. */
  readonly deleted: number;
  /** Not everything could be reached. What could not is not served by this process any more, and deleted as soon
   *  as it can be. */
  readonly isPending: boolean;
}

export interface CacheDescription {
  readonly entry: CacheEntry;
  readonly from: 'memory' | 'redis';
  /** What it takes there, about. */
  readonly bytes: number;
}

/** Keeps answers of subgraphs. Nothing here throws or rejects, whatever happens to what is behind it: an entry
 *  that cannot be had in time is a miss, one that cannot be stored is not stored. */
export interface CacheStore {
  /** To be taken before a subgraph is asked, and given back with what it answered. */
  beginRead(): ReadVersion;

  /** Entries that may be served, stale ones included; who serves them looks at their times. Without a promise
   *  where all that is needed is in memory. */
  getMany(keys: readonly string[]): CacheResults | Promise<CacheResults>;

  /** Stores what was read from a subgraph, later than this returns. Left out is what an invalidation of one of its
   *  tags has overtaken since the read began, and what is older than the entry that is there. */
  setMany(entries: readonly CacheWrite[], since: ReadVersion): void;

  /** Deletes what has any of these tags. Once it has ended, no read brings such an entry back that began to be
   *  read from a subgraph before it was called. */
  deleteByTags(tags: readonly string[]): Promise<InvalidationResult>;

  /** Asks for the right to be the one process that fetches what belongs under these keys, for `ttlMs` at most. In the
   *  order of the keys: whether this process has it. Where nobody can say in time, it has. Without a promise where
   *  there is one process only: within it, whoever asks sees to that. */
  claim(keys: readonly string[], ttlMs: number): readonly boolean[] | Promise<readonly boolean[]>;

  /** Gives claims of this process back, at once or so many milliseconds from now. */
  release(keys: readonly string[], afterMs: number): void;

  /** Waits until the process that has the claim of a key has stored an entry, which is the result, or has given the
   *  claim back; at most `maxMs`. Rejects never; an aborted wait ends with `undefined`. */
  awaitClaimHolder(key: string, maxMs: number, signal: AbortSignal): Promise<CacheEntry | undefined>;

  /** What is stored, for people to look at. */
  describe(key: string): Promise<CacheDescription | undefined>;

  /** Keys with a tag, at most so many. */
  keysWithTag(tag: string, limit: number): Promise<string[]>;

  close(): Promise<void>;
}

/** When an entry is of no more use to anybody. */
export function usableUntil(entry: CacheEntry): number {
  return Math.max(entry.freshUntil, entry.staleWhileRevalidateUntil, entry.staleIfErrorUntil);
}
