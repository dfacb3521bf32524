/** How long a value may be used, in milliseconds from the moment it is stored. */
export interface Lifetime {
  /** As if the subgraph had just sent it. */
  readonly freshMs: number;
  /** At once, while it is asked for anew. At least `freshMs`. */
  readonly revalidateMs: number;
  /** Where the subgraph fails. At least `freshMs`. */
  readonly fallbackMs: number;
}

/** What is said about one place: how long fresh, and how much longer stale. */
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

/** What both allow. Each end is compared by itself and from storing: a value that is stale sooner by one rule must
 *  not be used longer than another one says. */
export function shorterLifetime(one: Lifetime, other: Lifetime): Lifetime {
  return {
    freshMs: Math.min(one.freshMs, other.freshMs),
    revalidateMs: Math.min(one.revalidateMs, other.revalidateMs),
    fallbackMs: Math.min(one.fallbackMs, other.fallbackMs),
  };
}

/** What is left of it for a value that was this old when it was stored. */
export function remainingLifetime({ freshMs, revalidateMs, fallbackMs }: Lifetime, ageMs: number): Lifetime {
  return {
    freshMs: Math.max(0, freshMs - ageMs),
    revalidateMs: Math.max(0, revalidateMs - ageMs),
    fallbackMs: Math.max(0, fallbackMs - ageMs),
  };
}

/** Whether a value could be used at all. */
export function isUsable({ freshMs, revalidateMs, fallbackMs }: Lifetime): boolean {
  return freshMs > 0 || revalidateMs > 0 || fallbackMs > 0;
}
