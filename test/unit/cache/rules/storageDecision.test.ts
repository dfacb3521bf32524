import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { CacheRule } from '../../../../gateway/cache/rules/cacheRule.ts';
import {
  decideStorage,
  type StorageOptions,
  type SubgraphValue,
} from '../../../../gateway/cache/rules/storageDecision.ts';

const rule: CacheRule = {
  lifetime: { freshMs: 60_000, revalidateMs: 90_000, fallbackMs: 600_000 },
  scope: 'PUBLIC',
  tags: ['products'],
};

const answered: SubgraphValue = {
  headers: { cacheControl: undefined, age: undefined },
  extensions: undefined,
  hasErrors: false,
  isNull: false,
};

const options: StorageOptions = {
  nullMaxAgeMs: 5_000,
  tagLimits: { count: 3, length: 5 },
  identity: undefined,
};

interface Case {
  readonly name: string;
  readonly cacheControl?: string;
  readonly age?: string;
  readonly value?: Partial<SubgraphValue>;
  readonly rule?: Partial<CacheRule>;
  readonly options?: Partial<StorageOptions>;
  /** Ends in seconds. */
  readonly stored: readonly [fresh: number, revalidate: number, fallback: number];
  readonly scope?: 'PRIVATE';
  readonly ageMs?: number;
  readonly tags?: readonly string[];
}

const cases: readonly Case[] = [
  { name: 'without a header by its rule', stored: [60, 90, 600] },
  { name: 'no longer than its rule', cacheControl: 'max-age=1000', stored: [60, 90, 600] },
  {
    name: 'shorter by max-age, and stale as much longer as the rule says',
    cacheControl: 'max-age=10',
    stored: [10, 40, 550],
  },
  {
    name: 'shorter by what the header says of stale values',
    cacheControl: 'max-age=10, stale-while-revalidate=2, stale-if-error=3',
    stored: [10, 12, 13],
  },
  {
    name: 'no longer than the rule by what the header says of stale values',
    cacheControl: 'max-age=10, stale-while-revalidate=9999, stale-if-error=9999',
    stored: [10, 90, 600],
  },
  {
    name: 'stale by the header where it says so without max-age',
    cacheControl: 'stale-if-error=0',
    stored: [60, 90, 60],
  },
  { name: 'never stale by must-revalidate', cacheControl: 'must-revalidate', stored: [60, 60, 60] },
  { name: 'never stale by s-maxage', cacheControl: 's-maxage=7', stored: [7, 7, 7] },
  { name: 'less what it is old', age: '20', stored: [40, 70, 580], ageMs: 20_000 },
  {
    name: 'stale at once where it is older than max-age',
    cacheControl: 'max-age=10',
    age: '15',
    stored: [0, 25, 535],
    ageMs: 15_000,
  },
  {
    name: 'for its identity where the header says private',
    cacheControl: 'private',
    options: { identity: 'u1' },
    stored: [60, 90, 600],
    scope: 'PRIVATE',
  },
  {
    name: 'for its identity where the rule says so, whatever the header says',
    cacheControl: 'public',
    rule: { scope: 'PRIVATE' },
    options: { identity: 'u1' },
    stored: [60, 90, 600],
    scope: 'PRIVATE',
  },
  { name: 'a null for a short time, never stale', value: { isNull: true }, stored: [5, 5, 5] },
  {
    name: 'a null no longer than anything else',
    value: { isNull: true },
    cacheControl: 'max-age=2',
    stored: [2, 5, 5],
  },
  {
    name: 'with the tags of the answer',
    value: { extensions: { cacheTags: ['b', 'a', 'b'] } },
    stored: [60, 90, 600],
    tags: ['a', 'b', 'products'],
  },
  {
    name: 'with no tags where there are none',
    value: { extensions: { cacheTags: null } },
    stored: [60, 90, 600],
  },
];

test.each(cases)('a value is stored $name', (given) => {
  const { cacheControl, age, stored, scope = 'PUBLIC', ageMs = 0, tags = ['products'] } = given;
  const value = { ...answered, headers: { cacheControl, age }, ...given.value };
  const [freshMs = 0, revalidateMs = 0, fallbackMs = 0] = stored.map((seconds) => seconds * 1_000);
  expect(decideStorage({ ...rule, ...given.rule }, value, { ...options, ...given.options })).toEqual({
    isStored: true,
    lifetime: { freshMs, revalidateMs, fallbackMs },
    ageMs,
    scope,
    tags,
  });
});

test.each<[string, Partial<SubgraphValue>, Partial<CacheRule>, Partial<StorageOptions>, boolean]>([
  ['it has errors', { hasErrors: true }, {}, {}, false],
  ['Cache-Control: no-store', { headers: { cacheControl: 'no-store', age: undefined } }, {}, {}, false],
  [
    'Cache-Control: max-age is "x", no number of seconds',
    { headers: { cacheControl: 'max-age=x', age: undefined } },
    {},
    {},
    true,
  ],
  ['it is private, and the request has no identity', {}, { scope: 'PRIVATE' }, {}, false],
  [
    'it is private, and the request has no identity',
    { headers: { cacheControl: 'private', age: undefined } },
    {},
    {},
    false,
  ],
  ['its time is over already', { headers: { cacheControl: undefined, age: '600' } }, {}, {}, false],
  [
    'its time is over already',
    { headers: { cacheControl: 'max-age=0, must-revalidate', age: undefined } },
    {},
    {},
    false,
  ],
  ['its time is over already', { isNull: true }, {}, { nullMaxAgeMs: 0 }, false],
  ['extensions.cacheTags is no list', { extensions: { cacheTags: 'a' } }, {}, {}, true],
  ['extensions.cacheTags is no list', { extensions: { cacheTags: {} } }, {}, {}, true],
  [
    'extensions.cacheTags has 4 tags, more than 3',
    { extensions: { cacheTags: ['a', 'b', 'c', 'd'] } },
    {},
    {},
    true,
  ],
  [
    'extensions.cacheTags has a tag of 6 characters, more than 5',
    { extensions: { cacheTags: ['123456'] } },
    {},
    {},
    true,
  ],
  [
    'extensions.cacheTags has a tag that is no text, or blank',
    { extensions: { cacheTags: [1] } },
    {},
    {},
    true,
  ],
  [
    'extensions.cacheTags has a tag that is no text, or blank',
    { extensions: { cacheTags: [' '] } },
    {},
    {},
    true,
  ],
  [
    'extensions.cacheTags has a tag that is no text, or blank',
    { extensions: { cacheTags: ['a\0'] } },
    {},
    {},
    true,
  ],
])('a value is not stored: %s', (reason, value, ownRule, ownOptions, isMistake) => {
  expect(
    decideStorage({ ...rule, ...ownRule }, { ...answered, ...value }, { ...options, ...ownOptions }),
  ).toEqual({
    isStored: false,
    reason,
    isMistake,
  });
});

test('whatever an answer says, it is stored no longer than its rule, and for no more people', () => {
  const seconds = fc.integer({ min: 0, max: 2_000 });
  const directive = fc.oneof(
    fc
      .tuple(fc.constantFrom('max-age', 's-maxage', 'stale-while-revalidate', 'stale-if-error'), seconds)
      .map(([name, value]) => `${name}=${value}`),
    fc.constantFrom('public', 'private', 'must-revalidate', 'immutable'),
  );
  const lifetime = fc.tuple(seconds, seconds, seconds).map(([fresh, more, most]) => ({
    freshMs: fresh * 1_000,
    revalidateMs: (fresh + more) * 1_000,
    fallbackMs: (fresh + most) * 1_000,
  }));
  fc.assert(
    fc.property(
      fc.array(directive, { maxLength: 4 }),
      seconds,
      lifetime,
      fc.constantFrom('PUBLIC' as const, 'PRIVATE' as const),
      fc.boolean(),
      (directives, age, ofRule, scope, isNull) => {
        const headers = { cacheControl: directives.join(', '), age: String(age) };
        const stored = decideStorage(
          { lifetime: ofRule, scope, tags: [] },
          { ...answered, headers, isNull },
          { ...options, identity: 'u1' },
        );
        if (!stored.isStored) return;
        const { freshMs, revalidateMs, fallbackMs } = stored.lifetime;
        expect(freshMs + stored.ageMs <= ofRule.freshMs || freshMs === 0).toBe(true);
        expect(revalidateMs + stored.ageMs <= ofRule.revalidateMs || revalidateMs === 0).toBe(true);
        expect(fallbackMs + stored.ageMs <= ofRule.fallbackMs || fallbackMs === 0).toBe(true);
        expect(Math.min(revalidateMs, fallbackMs)).toBeGreaterThanOrEqual(freshMs);
        if (scope === 'PRIVATE') expect(stored.scope).toBe('PRIVATE');
      },
    ),
  );
});
