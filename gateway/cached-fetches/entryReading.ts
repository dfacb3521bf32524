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

/** Of an entry and of one that is for the same person alone: what may be served, and else the newer one. */
export function readEither(
  rule: CacheRule,
  entry: CacheEntry | undefined,
  privateEntry: CacheEntry | undefined,
  now: number,
): EntryReading | undefined {
  const reading = entry === undefined ? undefined : readEntry(entry, rule, rule.scope);
  if (privateEntry === undefined) return reading;
  const own = readEntry(privateEntry, rule, 'PRIVATE');
  if (reading === undefined || isServable(own, now)) return own;
  return isServable(reading, now) || reading.entry.storedAt > privateEntry.storedAt ? reading : own;
}

/** Fresh, or as fresh as a value of this rule ever is. */
export function isServable(reading: EntryReading, now: number): boolean {
  return isFresh(reading, now) || now < reading.revalidateUntil;
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
