import { LRUCache } from 'lru-cache';

interface PlanCacheKey {
  /** The number of a loaded supergraph. */
  readonly snapshot: number;
  /** The normalized document, with boolean conditions folded. */
  readonly operation: string;
  /** Labels of progressive `@override`s that are on, sorted. */
  readonly overrides: readonly string[];
}

/** An LRU cache of one value for each operation and supergraph, with single flight for loads. */
export interface PlanCache<Value extends object> {
  /** The cached value, or the result of `load`. Concurrent calls with one key share one `load`. A failed load rejects
   *  for all of them and stores nothing. */
  getOrLoad(key: PlanCacheKey, load: () => Promise<Value>): Promise<Value>;
  /** The most used entries of a supergraph in descending order of uses, to warm the next supergraph with. */
  mostUsed(snapshot: number, count: number): readonly PlanUsage<Value>[];
  /** Counts uses of a value that callers hold outside of the cache, and stores the value again if it was evicted. */
  recordUses(key: PlanCacheKey, value: Value, uses: number): void;
  /** Removes all entries of a retired supergraph. The result of a running load is not stored. */
  evict(snapshot: number): void;
  readonly size: number;
}

interface PlanUsage<Value> {
  readonly key: PlanCacheKey;
  readonly value: Value;
  readonly uses: number;
}

interface Entry<Value> extends PlanUsage<Value> {
  uses: number;
}

interface InFlightLoad<Value> {
  readonly key: PlanCacheKey;
  readonly promise: Promise<Value>;
}

export function createPlanCache<Value extends object>(options: {
  readonly maxEntries: number;
}): PlanCache<Value> {
  const entries = new LRUCache<string, Entry<Value>>({ max: options.maxEntries });
  const loading = new Map<string, InFlightLoad<Value>>();

  const load = (text: string, key: PlanCacheKey, create: () => Promise<Value>): Promise<Value> => {
    const started: InFlightLoad<Value> = { key, promise: Promise.resolve().then(create) };
    loading.set(text, started);
    /** False once the key was evicted, even if another load with the same key has started since. */
    const isCurrent = (): boolean => loading.get(text) === started;
    return started.promise
      .then((value) => {
        if (isCurrent()) entries.set(text, { key, value, uses: 1 });
        return value;
      })
      .finally(() => {
        if (isCurrent()) loading.delete(text);
      });
  };

  return {
    getOrLoad: (key, create) => {
      const text = keyText(key);
      const cached = entries.get(text);
      if (cached === undefined) return loading.get(text)?.promise ?? load(text, key, create);
      cached.uses += 1;
      return Promise.resolve(cached.value);
    },
    mostUsed: (snapshot, count) =>
      [...entries.values()]
        .filter((entry) => entry.key.snapshot === snapshot)
        .sort((a, b) => b.uses - a.uses)
        .slice(0, count),
    recordUses: (key, value, uses) => {
      const text = keyText(key);
      const entry = entries.get(text);
      if (entry === undefined) entries.set(text, { key, value, uses });
      else entry.uses += uses;
    },
    evict: (snapshot) => {
      for (const [text, entry] of entries) {
        if (entry.key.snapshot === snapshot) entries.delete(text);
      }
      for (const [text, entry] of loading) {
        if (entry.key.snapshot === snapshot) loading.delete(text);
      }
    },
    get size() {
      return entries.size;
    },
  };
}

/** Unambiguous: the JSON array ends before the operation. */
function keyText({ snapshot, overrides, operation }: PlanCacheKey): string {
  return `${snapshot} ${JSON.stringify(overrides)} ${operation}`;
}
