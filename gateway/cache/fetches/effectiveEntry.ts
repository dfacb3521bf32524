import type { CachedContribution, CacheScope } from '../../execution/cachingContribution.ts';
import type { CacheRule } from '../rules/cacheRule.ts';
import type { CacheEntry } from '../store/cacheStore.ts';

/** An entry as the present rule has it: what was stored under a longer one ends sooner. */
export interface EffectiveEntry {
  readonly entry: CacheEntry;
  readonly scope: CacheScope;
  readonly freshUntil: number;
  readonly revalidateUntil: number;
  readonly fallbackUntil: number;
}

function applyRule(entry: CacheEntry, { lifetime }: CacheRule, scope: CacheScope): EffectiveEntry {
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
export function selectEntry(
  rule: CacheRule,
  entry: CacheEntry | undefined,
  privateEntry: CacheEntry | undefined,
  now: number,
): EffectiveEntry | undefined {
  const reading = entry === undefined ? undefined : applyRule(entry, rule, rule.scope);
  if (privateEntry === undefined) return reading;
  const own = applyRule(privateEntry, rule, 'PRIVATE');
  if (reading === undefined || isServable(own, now)) return own;
  return isServable(reading, now) || reading.entry.storedAt > privateEntry.storedAt ? reading : own;
}

/** Fresh, or as fresh as a value of this rule ever is. */
export function isServable(reading: EffectiveEntry, now: number): boolean {
  return isFresh(reading, now) || now < reading.revalidateUntil;
}

export function isFresh({ freshUntil }: EffectiveEntry, now: number): boolean {
  return now < freshUntil;
}

export function ageOf({ entry }: EffectiveEntry, now: number): number {
  return Math.max(0, now - entry.storedAt);
}

/** What the entry has to say about how long the answer may be kept. */
export function contributionOf(
  reading: EffectiveEntry,
  now: number,
  headers: readonly string[],
): CachedContribution {
  return {
    kind: 'cached',
    scope: reading.scope,
    ageMs: ageOf(reading, now),
    freshForMs: reading.freshUntil - now,
    headers,
  };
}
