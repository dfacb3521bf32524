import type { CachedContribution, CacheScope } from '../../execution/cachingContribution.ts';
import type { CacheRule } from '../rules/cacheRule.ts';
import type { CacheEntry } from '../store/cacheStore.ts';

/** A stored entry with its expiry times limited by the current rule, in milliseconds since 1970. An entry that was stored
 *  under a longer rule expires earlier. */
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

/** Selects between the entry of an item and the entry for the client's identity: the private one if it may be served,
 *  else the other one if that may be served, else the newer one. */
export function selectEntry(
  rule: CacheRule,
  entry: CacheEntry | undefined,
  privateEntry: CacheEntry | undefined,
  now: number,
): EffectiveEntry | undefined {
  const effective = entry === undefined ? undefined : applyRule(entry, rule, rule.scope);
  if (privateEntry === undefined) return effective;
  const effectivePrivate = applyRule(privateEntry, rule, 'PRIVATE');
  if (effective === undefined || isServable(effectivePrivate, now)) return effectivePrivate;
  return isServable(effective, now) || effective.entry.storedAt > privateEntry.storedAt
    ? effective
    : effectivePrivate;
}

/** Whether the entry may be served without a failure of the subgraph: it is fresh, or a refresh may run meanwhile. */
export function isServable(entry: EffectiveEntry, now: number): boolean {
  return isFresh(entry, now) || now < entry.revalidateUntil;
}

export function isFresh({ freshUntil }: EffectiveEntry, now: number): boolean {
  return now < freshUntil;
}

export function ageOf({ entry }: EffectiveEntry, now: number): number {
  return Math.max(0, now - entry.storedAt);
}

/** What the entry contributes to the caching headers of the response. */
export function contributionOf(
  effectiveEntry: EffectiveEntry,
  now: number,
  headers: readonly string[],
): CachedContribution {
  return {
    kind: 'cached',
    scope: effectiveEntry.scope,
    ageMs: ageOf(effectiveEntry, now),
    freshForMs: effectiveEntry.freshUntil - now,
    headers,
  };
}
