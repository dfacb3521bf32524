import { LRUCache } from 'lru-cache';

interface PlanCacheKey {
  /** `Supergraph.id`. */
  readonly supergraphId: string;
  /** Everything else that the value depends on: the normalised document, folded booleans included. */
  readonly operation: string;
  /** Labels of progressive `@override`s that are on, sorted. */
  readonly overrides: readonly string[];
}

/** Values made once per operation and supergraph, bounded in number; the least recently used leaves first. */
export interface PlanCache<Value extends object> {
  get(key: PlanCacheKey): Value | undefined;
  /** The kept value, or what `load` makes; concurrent calls with one key share one `load`. A load that
   *  fails rejects for everyone who waited and leaves nothing behind. */
  getOrLoad(key: PlanCacheKey, load: () => Promise<Value>): Promise<Value>;
  /** What is most used of a supergraph, most used first: what to plan before another one takes over. */
  mostUsed(supergraphId: string, count: number): readonly PlanUsage<Value>[];
  /** Counts uses of a value by those who kept it and did not ask again, and takes it in where it had to leave. */
  recordUses(key: PlanCacheKey, value: Value, uses: number): void;
  /** Drops what belongs to a supergraph that nobody uses any more. A load under way is not kept. */
  evict(supergraphId: string): void;
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

  const use = (text: string): Value | undefined => {
    const entry = entries.get(text);
    if (entry === undefined) return undefined;
    entry.uses += 1;
    return entry.value;
  };

  const load = (text: string, key: PlanCacheKey, make: () => Promise<Value>): Promise<Value> => {
    /** Neither forgotten nor, after that, begun anew. */
    const isWanted = (): boolean => loading.get(text) === own;
    const promise = Promise.resolve()
      .then(make)
      .then((value) => {
        if (isWanted()) entries.set(text, { key, value, uses: 1 });
        return value;
      })
      .finally(() => {
        if (isWanted()) loading.delete(text);
      });
    const own: InFlightLoad<Value> = { key, promise };
    loading.set(text, own);
    return promise;
  };

  return {
    get: (key) => use(keyText(key)),
    getOrLoad: (key, make) => {
      const text = keyText(key);
      const kept = use(text);
      if (kept !== undefined) return Promise.resolve(kept);
      return loading.get(text)?.promise ?? load(text, key, make);
    },
    mostUsed: (supergraphId, count) =>
      [...entries.values()]
        .filter((entry) => entry.key.supergraphId === supergraphId)
        .sort((a, b) => b.uses - a.uses)
        .slice(0, count),
    recordUses: (key, value, uses) => {
      const text = keyText(key);
      const entry = entries.get(text);
      if (entry === undefined) entries.set(text, { key, value, uses });
      else entry.uses += uses;
    },
    evict: (supergraphId) => {
      for (const [text, entry] of entries) {
        if (entry.key.supergraphId === supergraphId) entries.delete(text);
      }
      for (const [text, entry] of loading) {
        if (entry.key.supergraphId === supergraphId) loading.delete(text);
      }
    },
    get size() {
      return entries.size;
    },
  };
}

/** Unambiguous, since a supergraph's id is a hash in hex and no label is the beginning of JSON. */
function keyText({ supergraphId, overrides, operation }: PlanCacheKey): string {
  return `${supergraphId} ${JSON.stringify(overrides)} ${operation}`;
}
