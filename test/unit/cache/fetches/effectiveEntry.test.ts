import { expect, test } from '@jest/globals';
import { ageOf, isServable, selectEntry } from '../../../../gateway/cache/fetches/effectiveEntry.ts';
import type { CacheRule } from '../../../../gateway/cache/rules/cacheRule.ts';
import type { CacheEntry } from '../../../../gateway/cache/store/cacheStore.ts';

const rule: CacheRule = {
  lifetime: { freshMs: 10, revalidateMs: 20, fallbackMs: 40 },
  scope: 'PUBLIC',
  tags: [],
};

/** An entry that was stored for this many milliseconds of each kind. */
function entryOf(
  storedAt: number,
  [fresh, revalidate, fallback]: readonly [number, number, number],
): CacheEntry {
  return {
    value: '1',
    storedAt,
    freshUntil: storedAt + fresh,
    staleWhileRevalidateUntil: storedAt + revalidate,
    staleIfErrorUntil: storedAt + fallback,
    tags: [],
  };
}

test('an entry that was stored under a longer rule expires by the current one, and one under a shorter rule by its own', () => {
  const expiries = (lifetime: readonly [number, number, number]) => {
    const selected = selectEntry(rule, entryOf(100, lifetime), undefined, 100);
    return [selected?.freshUntil, selected?.revalidateUntil, selected?.fallbackUntil];
  };
  expect(expiries([1_000, 2_000, 3_000])).toEqual([110, 120, 140]);
  expect(expiries([1, 2, 3])).toEqual([101, 102, 103]);
});

test('of two entries, the private one is selected if it may be served, then the other one, then the newer one', () => {
  const lifetime = [10, 20, 40] as const;
  const scopeAt = (now: number, storedAt: number, privateStoredAt: number) => {
    const [entry, privateEntry] = [entryOf(storedAt, lifetime), entryOf(privateStoredAt, lifetime)];
    const selected = selectEntry(rule, entry, privateEntry, now);
    return [selected?.scope, selected !== undefined && isServable(selected, now)];
  };
  expect(scopeAt(100, 100, 81)).toEqual(['PRIVATE', true]);
  expect(scopeAt(100, 81, 80)).toEqual(['PUBLIC', true]);
  expect(scopeAt(100, 80, 79)).toEqual(['PUBLIC', false]);
  expect(scopeAt(100, 79, 80)).toEqual(['PRIVATE', false]);
  expect(scopeAt(100, 80, 80)).toEqual(['PRIVATE', false]);
  // An older entry that lives longer.
  expect(selectEntry(rule, entryOf(85, lifetime), entryOf(90, [1, 2, 40]), 100)?.scope).toBe('PUBLIC');
});

test('an entry that was stored in the future, by another clock, has no age', () => {
  const ageAt = (now: number) =>
    ageOf(selectEntry(rule, entryOf(100, [10, 20, 40]), undefined, now) as never, now);
  expect([ageAt(99), ageAt(100), ageAt(103)]).toEqual([0, 0, 3]);
});
