/** What the cache does, for those who count. `type`: the type of the entities, or the root type. */
export interface CacheObserver {
  /** Entities or root fields that one fetch looked up. `stale` are those that were served while a refresh runs. */
  onLookup(lookup: CacheLookup): void;
  onStored(stored: { readonly subgraph: string; readonly type: string; readonly bytes: number }): void;
  /** `reason` is one of few. */
  onNotStored(left: {
    readonly subgraph: string;
    readonly type: string;
    readonly reason: 'errors' | 'refused' | 'mistake' | 'too large';
    readonly count: number;
  }): void;
  /** A stale value is asked for anew. */
  onRefresh(refresh: {
    readonly subgraph: string;
    readonly type: string;
    readonly outcome: 'stored' | 'not stored' | 'failed' | 'left to another process';
  }): void;
  /** Stale values that answered in the place of a subgraph that failed. */
  onStaleIfError(served: { readonly subgraph: string; readonly type: string; readonly count: number }): void;
  /** Stale values that answered because fetches did not come within the budget. */
  onStaleIfBudget(served: { readonly subgraph: string; readonly type: string; readonly count: number }): void;
  /** Entries that an invalidation deleted. */
  onInvalidated(invalidated: { readonly by: 'admin' | 'mutation' | 'event'; readonly deleted: number }): void;
}

export interface CacheLookup {
  readonly subgraph: string;
  readonly type: string;
  readonly hits: number;
  readonly stale: number;
  readonly misses: number;
  /** 0 where everything was in the memory of the process. */
  readonly durationMs: number;
}
