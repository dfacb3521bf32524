import { Histogram, type Registry } from 'prom-client';
import { incrementCount, registerCounter, toLabelValue, zeroCounts } from '../telemetry/registerCounter.ts';
import { registerGauge } from '../telemetry/registerGauge.ts';
import { BucketCounts, registerHistogram } from '../telemetry/registerHistogram.ts';

/** Counts what the cache does. */
export interface CacheObserver {
  onLookup(lookup: CacheLookup): void;
  onStored(stored: ItemLabels & { readonly bytes: number }): void;
  onNotStored(rejected: ItemLabels & { readonly reason: NotStoredReason }): void;
  onRefresh(refresh: ItemLabels & { readonly outcome: RefreshOutcome }): void;
  /** A stale value was served, for any reason. */
  onStaleServed(served: { readonly subgraph: string; readonly ageMs: number }): void;
  /** A stale value was served because the subgraph failed. */
  onStaleIfError(served: ItemLabels): void;
  /** A stale value was served because its fetch missed the budget. */
  onStaleIfBudget(served: ItemLabels): void;
  /** `deleted`: the number of entries. */
  onInvalidated(invalidated: { readonly by: InvalidationOrigin; readonly deleted: number }): void;
}

/** `type`: the type of the entity, or the root type. */
interface ItemLabels {
  readonly subgraph: string;
  readonly type: string;
}

/** The entities or root fields that one fetch looked up. */
interface CacheLookup extends ItemLabels {
  readonly hits: number;
  /** Served while a refresh runs. */
  readonly stale: number;
  readonly misses: number;
  /** 0 if the memory of the process had all entries. */
  readonly durationMs: number;
}

/** `refused`: by the headers, or because a private value has no identity. `invalid`: headers or tags that cannot be parsed.
 *  `schema violation`: the schema forbids the value. */
export type NotStoredReason = 'errors' | 'refused' | 'invalid' | 'schema violation' | 'too large';

const invalidationOrigins = ['admin', 'mutation', 'event'] as const;
type InvalidationOrigin = (typeof invalidationOrigins)[number];

/** How the refresh of a stale value ended. `claimed elsewhere`: another process refreshes it. */
export type RefreshOutcome = 'stored' | 'not stored' | 'failed' | 'claimed elsewhere';

export interface CacheMetricsOptions {
  readonly registry: Registry;
  /** Returns the number of store problems of each kind. Called at each scrape. */
  readonly problems: () => ReadonlyMap<string, number>;
  /** Returns the size of the in-memory store. Called at each scrape. */
  readonly memory: () => { readonly bytes: number; readonly entries: number };
}

type Observed<Event extends keyof CacheObserver> = Parameters<CacheObserver[Event]>[0];

/** Beyond the default of `redis.timeouts.read`: otherwise no quantile shows how much longer it should be. */
const secondsBuckets = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1];
/** Upper bounds for the age of values, in seconds. */
const ageBuckets = [1, 5, 15, 60, 300, 900, 3_600, 21_600, 86_400];
const bytesBuckets = [256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304];

/** Prometheus metrics of the cache. Clients cannot create label values: `subgraph` and `type` are names of supergraphs,
 *  and the other labels have fixed values.
 *
 *  Counts are plain numbers that are copied to the registry at each scrape, so that counting costs two map lookups. */
export class CacheMetrics implements CacheObserver {
  readonly #bySubgraph = new Map<string, SubgraphCounts>();
  readonly #invalidated = zeroCounts(invalidationOrigins);
  readonly #readSeconds: Histogram<'subgraph'>;
  readonly #entryBytes: Histogram<'subgraph' | 'type'>;

  constructor(options: CacheMetricsOptions) {
    const { registry } = options;
    const registers = [registry];
    this.#readSeconds = new Histogram({
      name: 'tributary_cache_read_seconds',
      help: 'Time that cache lookups waited for Redis. Lookups answered from memory are not included.',
      labelNames: ['subgraph'],
      buckets: secondsBuckets,
      registers,
    });
    this.#entryBytes = new Histogram({
      name: 'tributary_cache_entry_bytes',
      help: 'Size of stored values.',
      labelNames: ['subgraph', 'type'],
      buckets: bytesBuckets,
      registers,
    });
    this.#registerCounts(registry);
    registerStoreMetrics(options);
  }

  onLookup({ subgraph, type, hits, stale, misses, durationMs }: CacheLookup): void {
    const subgraphCounts = this.#subgraph(subgraph);
    const counts = subgraphCounts.countsOfType(type);
    counts.hits += hits;
    counts.stale += stale;
    counts.misses += misses;
    if (durationMs > 0) subgraphCounts.readSeconds.observe(durationMs / 1_000);
  }

  onStored({ subgraph, type, bytes: size }: Observed<'onStored'>): void {
    this.#counts(subgraph, type).entryBytes.observe(size);
  }

  onNotStored({ subgraph, type, reason }: Observed<'onNotStored'>): void {
    incrementCount(this.#counts(subgraph, type).notStored, reason, 1);
  }

  onRefresh({ subgraph, type, outcome }: Observed<'onRefresh'>): void {
    incrementCount(this.#counts(subgraph, type).refreshes, outcome, 1);
  }

  onStaleServed({ subgraph, ageMs }: Observed<'onStaleServed'>): void {
    this.#subgraph(subgraph).staleAges.observe(ageMs / 1_000);
  }

  onStaleIfError({ subgraph, type }: ItemLabels): void {
    this.#counts(subgraph, type).staleIfError += 1;
  }

  onStaleIfBudget({ subgraph, type }: ItemLabels): void {
    this.#counts(subgraph, type).staleIfBudget += 1;
  }

  onInvalidated({ by, deleted }: Observed<'onInvalidated'>): void {
    incrementCount(this.#invalidated, by, deleted);
  }

  #subgraph(name: string): SubgraphCounts {
    let counts = this.#bySubgraph.get(name);
    if (counts === undefined) {
      counts = new SubgraphCounts(name, this.#readSeconds, this.#entryBytes);
      this.#bySubgraph.set(name, counts);
    }
    return counts;
  }

  #counts(subgraph: string, type: string): TypeCounts {
    return this.#subgraph(subgraph).countsOfType(type);
  }

  *#all(): Generator<readonly [{ subgraph: string; type: string }, TypeCounts]> {
    for (const [subgraph, { byType }] of this.#bySubgraph) {
      for (const [type, counts] of byType) yield [{ subgraph, type }, counts];
    }
  }

  #registerCounts(registry: Registry): void {
    registerCounter(registry, {
      name: 'tributary_cache_lookups_total',
      help: 'Entities and root fields looked up in the cache: served fresh (hit), served while a refresh runs (stale), or fetched (miss).',
      labelNames: ['subgraph', 'type', 'outcome'],
      read: (set) => {
        for (const [labels, { hits, stale, misses }] of this.#all()) {
          set({ ...labels, outcome: 'hit' }, hits);
          set({ ...labels, outcome: 'stale' }, stale);
          set({ ...labels, outcome: 'miss' }, misses);
        }
      },
    });
    registerCounter(registry, {
      name: 'tributary_cache_not_stored_total',
      help: 'Values with a cache rule that were not stored.',
      labelNames: ['subgraph', 'type', 'reason'],
      read: (set) => {
        for (const [labels, { notStored }] of this.#all()) {
          for (const [reason, count] of notStored) set({ ...labels, reason: toLabelValue(reason) }, count);
        }
      },
    });
    registerCounter(registry, {
      name: 'tributary_cache_refreshes_total',
      help: 'Refreshes of stale values, by outcome.',
      labelNames: ['subgraph', 'type', 'outcome'],
      read: (set) => {
        for (const [labels, { refreshes }] of this.#all()) {
          for (const [outcome, count] of refreshes) set({ ...labels, outcome: toLabelValue(outcome) }, count);
        }
      },
    });
    registerHistogram(registry, {
      name: 'tributary_cache_stale_age_seconds',
      help: 'Age of the stale values that were served.',
      labelNames: ['subgraph'],
      read: (add) => {
        for (const [subgraph, { staleAges }] of this.#bySubgraph) add({ subgraph }, staleAges);
      },
    });
    registerCounter(registry, {
      name: 'tributary_cache_stale_if_error_total',
      help: 'Stale values served because a subgraph failed.',
      labelNames: ['subgraph', 'type'],
      read: (set) => {
        for (const [labels, { staleIfError }] of this.#all()) set(labels, staleIfError);
      },
    });
    registerCounter(registry, {
      name: 'tributary_cache_stale_if_budget_total',
      help: 'Stale values served because fetches missed their budget.',
      labelNames: ['subgraph', 'type'],
      read: (set) => {
        for (const [labels, { staleIfBudget }] of this.#all()) set(labels, staleIfBudget);
      },
    });
    registerCounter(registry, {
      name: 'tributary_cache_invalidated_entries_total',
      help: 'Cache entries deleted by invalidations.',
      labelNames: ['by'],
      read: (set) => {
        for (const [by, count] of this.#invalidated) set({ by }, count);
      },
    });
  }
}

class SubgraphCounts {
  readonly byType = new Map<string, TypeCounts>();
  readonly staleAges = new BucketCounts(ageBuckets);
  readonly readSeconds: Histogram.Internal<'subgraph'>;
  readonly #name: string;
  readonly #entryBytes: Histogram<'subgraph' | 'type'>;

  constructor(name: string, readSeconds: Histogram<'subgraph'>, entryBytes: Histogram<'subgraph' | 'type'>) {
    this.#name = name;
    this.readSeconds = readSeconds.labels({ subgraph: name });
    this.#entryBytes = entryBytes;
  }

  countsOfType(type: string): TypeCounts {
    let counts = this.byType.get(type);
    if (counts === undefined) {
      counts = {
        hits: 0,
        stale: 0,
        misses: 0,
        staleIfError: 0,
        staleIfBudget: 0,
        notStored: new Map(),
        refreshes: new Map(),
        entryBytes: this.#entryBytes.labels({ subgraph: this.#name, type }),
      };
      this.byType.set(type, counts);
    }
    return counts;
  }
}

interface TypeCounts {
  hits: number;
  stale: number;
  misses: number;
  staleIfError: number;
  staleIfBudget: number;
  readonly notStored: Map<string, number>;
  readonly refreshes: Map<string, number>;
  readonly entryBytes: Histogram.Internal<'subgraph' | 'type'>;
}

function registerStoreMetrics({ registry, problems, memory }: CacheMetricsOptions): void {
  registerCounter(registry, {
    name: 'tributary_cache_store_problems_total',
    help: 'Problems with Redis or with stored entries.',
    labelNames: ['kind'],
    read: (set) => {
      for (const [kind, count] of problems()) set({ kind: toLabelValue(kind) }, count);
    },
  });
  registerGauge(registry, {
    name: 'tributary_cache_memory_bytes',
    help: 'Memory used by the cache in this process.',
    labelNames: [],
    read: (set) => set({}, memory().bytes),
  });
  registerGauge(registry, {
    name: 'tributary_cache_memory_entries',
    help: 'Cache entries in the memory of this process.',
    labelNames: [],
    read: (set) => set({}, memory().entries),
  });
}
