import { expect, test } from '@jest/globals';
import type { CachingContribution } from '../../../gateway/execution/cachingContribution.ts';
import { responseCachingOf } from '../../../gateway/response/responseCaching.ts';

const cached = (
  ageSeconds: number,
  leftSeconds: number,
  more: Partial<Extract<CachingContribution, { kind: 'cached' }>> = {},
): CachingContribution => ({
  kind: 'cached',
  scope: 'PUBLIC',
  ageMs: ageSeconds * 1_000,
  freshForMs: leftSeconds * 1_000,
  headers: [],
  ...more,
});

test.each<[string, readonly CachingContribution[], ReturnType<typeof responseCachingOf>]>([
  ['nothing went into it', [], undefined],
  ['something is not cached', [cached(0, 60), { kind: 'uncached' }, cached(0, 60)], undefined],
  ['one part', [cached(10, 50)], { cacheControl: 'public, max-age=60', age: '10', vary: undefined }],
  [
    'what is left is that of the first to end, the age that of the oldest',
    [cached(10, 50), cached(30, 100), cached(2, 7)],
    { cacheControl: 'public, max-age=37', age: '30', vary: undefined },
  ],
  [
    'one part is private',
    [cached(0, 60), cached(0, 70, { scope: 'PRIVATE' })],
    { cacheControl: 'private, max-age=60', age: '0', vary: undefined },
  ],
  [
    'one part is stale',
    [cached(0, 60), cached(70, -10)],
    { cacheControl: 'public, max-age=0', age: '70', vary: undefined },
  ],
  [
    'less than a second is left',
    [cached(1.9, 0.9)],
    { cacheControl: 'public, max-age=0', age: '1', vary: undefined },
  ],
  [
    'fractions are not rounded up',
    [cached(1.9, 5.9)],
    { cacheControl: 'public, max-age=6', age: '1', vary: undefined },
  ],
  [
    'headers that parts depend on are named once, in order',
    [cached(0, 5, { headers: ['b', 'a'] }), cached(0, 5, { headers: ['a'] })],
    { cacheControl: 'public, max-age=5', age: '0', vary: 'a, b' },
  ],
])('a response where %s', (_, contributions, expected) => {
  // The second group has no fetches.
  const groups = contributions.length === 0 ? [] : Object.assign([contributions], { 2: contributions });
  expect(responseCachingOf(groups, 0)).toEqual(expected);
});

test('a response that has waited since its first part is older, and fresh for less time', () => {
  const waited = (ms: number) => responseCachingOf([[cached(0, 60), cached(2, 7)]], ms);
  expect([999, 3_500, 9_000].map((ms) => waited(ms))).toEqual([
    { cacheControl: 'public, max-age=9', age: '2', vary: undefined },
    { cacheControl: 'public, max-age=9', age: '5', vary: undefined },
    { cacheControl: 'public, max-age=0', age: '11', vary: undefined },
  ]);
});
