/** Whether a cached value is the same for every client or belongs to one identity. */
export type CacheScope = 'PUBLIC' | 'PRIVATE';

/** How one fetch limits how long the response that it is part of may be cached. */
export type CachingContribution =
  /** The fetch may not be cached, or failed. */
  { readonly kind: 'uncached' } | CachedContribution;

export interface CachedContribution {
  readonly kind: 'cached';
  readonly scope: CacheScope;
  /** Since the subgraph answered. */
  readonly ageMs: number;
  /** How much longer the value is fresh; 0 or less for a stale value. */
  readonly freshForMs: number;
  /** Names of the client's headers that the value may depend on, in lower case. */
  readonly headers: readonly string[];
}
