import type { CacheRule, CacheScope } from '../cache/rules/cacheRule.ts';
import type { CachedPart } from '../cache/rules/responseCaching.ts';
import type { CacheEntry } from '../cache/store/cacheStore.ts';

/** An entry as the present rule has it: what was stored under a longer one ends sooner. */
export interface EntryReading {
  readonly entry: CacheEntry;
  readonly scope: CacheScope;
  readonly freshUntil: number;
  readonly revalidateUntil: number;
  readonly fallbackUntil: number;
}

export function readEntry(entry: CacheEntry, { lifetime }: CacheRule, scope: CacheScope): EntryReading {
  const { storedAt } = entry;
  return {
    entry,
    scope,
    freshUntil: Math.min(entry.freshUntil, storedAt + lifetime.freshMs),
    revalidateUntil: Math.min(entry.staleWhileRevalidateUntil, storedAt + lifetime.revalidateMs),
    fallbackUntil: Math.min(entry.staleIfErrorUntil, storedAt + lifetime.fallbackMs),
  };
}

export function isFresh({ freshUntil }: EntryReading, now: number): boolean {
  return now < freshUntil;
}

export function ageOf({ entry }: EntryReading, now: number): number {
  return Math.max(0, now - entry.storedAt);
}

/** What the entry has to say about how long the answer may be kept. */
export function partOf(reading: EntryReading, now: number, headers: readonly string[]): CachedPart {
  return {
    kind: 'cached',
    scope: reading.scope,
    ageMs: ageOf(reading, now),
    leftMs: reading.freshUntil - now,
    headers,
  };
}
