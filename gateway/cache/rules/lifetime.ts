/** How long a value may be used, in milliseconds from the moment it is stored. */
export interface Lifetime {
  /** The value is served like a fetched one. */
  readonly freshMs: number;
  /** The value is served stale while a refresh runs. At least `freshMs`. */
  readonly revalidateMs: number;
  /** The value is served stale if the subgraph fails. At least `freshMs`. */
  readonly fallbackMs: number;
}

/** The durations of one declaration. The stale periods begin when the freshness ends. */
export interface CacheDurations {
  readonly maxAgeMs: number;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
}

export function lifetimeOf({ maxAgeMs, staleWhileRevalidateMs, staleIfErrorMs }: CacheDurations): Lifetime {
  return {
    freshMs: maxAgeMs,
    revalidateMs: maxAgeMs + staleWhileRevalidateMs,
    fallbackMs: maxAgeMs + staleIfErrorMs,
  };
}

/** The shorter of each duration, counted from storing. `staleWhileRevalidate` of one rule never extends what the other
 *  one allows. */
export function shorterLifetime(a: Lifetime, b: Lifetime): Lifetime {
  return {
    freshMs: Math.min(a.freshMs, b.freshMs),
    revalidateMs: Math.min(a.revalidateMs, b.revalidateMs),
    fallbackMs: Math.min(a.fallbackMs, b.fallbackMs),
  };
}

/** The lifetime that remains for a value that already had this age when it was stored. */
export function remainingLifetime({ freshMs, revalidateMs, fallbackMs }: Lifetime, ageMs: number): Lifetime {
  return {
    freshMs: Math.max(0, freshMs - ageMs),
    revalidateMs: Math.max(0, revalidateMs - ageMs),
    fallbackMs: Math.max(0, fallbackMs - ageMs),
  };
}

/** Whether a value with this lifetime can ever be served. */
export function isUsable({ revalidateMs, fallbackMs }: Lifetime): boolean {
  return revalidateMs > 0 || fallbackMs > 0;
}
