import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { CacheRule } from '../../../../gateway/cache/rules/cacheRule.ts';
import {
  decideStorage,
  type StorageDecision,
  type StorageOptions,
  type SubgraphValue,
} from '../../../../gateway/cache/rules/storageDecision.ts';

const rule: CacheRule = {
  lifetime: { freshMs: 60_000, revalidateMs: 90_000, fallbackMs: 600_000 },
  scope: 'PUBLIC',
  tags: ['products'],
};

const subgraphValue: SubgraphValue = {
  headers: { cacheControl: undefined, age: undefined },
  extensions: undefined,
  hasErrors: false,
  isNull: false,
};

const options: StorageOptions = {
  nullMaxAgeMs: 5_000,
  tagLimits: { count: 3, length: 5 },
  ignoresNoStore: false,
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
  { name: 'as its rule says, without a header', stored: [60, 90, 600] },
  {
    name: 'no longer than its rule says, with a larger max-age',
    cacheControl: 'max-age=1000',
    stored: [60, 90, 600],
  },
  {
    name: 'shorter by max-age, with the stale periods of its rule after that',
    cacheControl: 'max-age=10',
    stored: [10, 40, 550],
  },
  {
    name: 'shorter by the stale directives of the header',
    cacheControl: 'max-age=10, stale-while-revalidate=2, stale-if-error=3',
    stored: [10, 12, 13],
  },
  {
    name: 'no longer than its rule says, with larger stale directives',
    cacheControl: 'max-age=10, stale-while-revalidate=9999, stale-if-error=9999',
    stored: [10, 90, 600],
  },
  {
    name: 'with a stale directive but no max-age',
    cacheControl: 'stale-if-error=0',
    stored: [60, 90, 60],
  },
  {
    name: 'without stale periods, with must-revalidate',
    cacheControl: 'must-revalidate',
    stored: [60, 60, 60],
  },
  {
    name: 'as stale no longer than max-age, with must-revalidate and a shorter rule',
    cacheControl: 'max-age=70, must-revalidate',
    stored: [60, 70, 70],
  },
  { name: 'without stale periods, with s-maxage', cacheControl: 's-maxage=7', stored: [7, 7, 7] },
  { name: 'shorter by its Age', age: '20', stored: [40, 70, 580], ageMs: 20_000 },
  {
    name: 'as stale, if its Age is beyond max-age',
    cacheControl: 'max-age=10',
    age: '15',
    stored: [0, 25, 535],
    ageMs: 15_000,
  },
  {
    name: 'for its identity, if the header is private',
    cacheControl: 'private',
    options: { identity: 'u1' },
    stored: [60, 90, 600],
    scope: 'PRIVATE',
  },
  {
    name: 'for its identity, if the rule is private and the header is public',
    cacheControl: 'public',
    rule: { scope: 'PRIVATE' },
    options: { identity: 'u1' },
    stored: [60, 90, 600],
    scope: 'PRIVATE',
  },
  { name: 'for nullMaxAge without stale periods, if it is null', value: { isNull: true }, stored: [5, 5, 5] },
  {
    name: 'for max-age, if it is null and max-age is shorter than nullMaxAge',
    value: { isNull: true },
    cacheControl: 'max-age=2',
    stored: [2, 2, 2],
  },
  {
    name: 'with the tags of the response',
    value: { extensions: { cacheTags: ['b', 'a', 'b'] } },
    stored: [60, 90, 600],
    tags: ['a', 'b', 'products'],
  },
  {
    name: 'with the tags of its rule, if cacheTags is null',
    value: { extensions: { cacheTags: null } },
    stored: [60, 90, 600],
  },
];

test.each(cases)('a value is stored $name', (given) => {
  const { cacheControl, age, stored, scope = 'PUBLIC', ageMs = 0, tags = ['products'] } = given;
  const value = { ...subgraphValue, headers: { cacheControl, age }, ...given.value };
  const [freshMs = 0, revalidateMs = 0, fallbackMs = 0] = stored.map((seconds) => seconds * 1_000);
  expect(decideStorage({ ...rule, ...given.rule }, value, { ...options, ...given.options })).toEqual({
    kind: 'stored',
    lifetime: { freshMs, revalidateMs, fallbackMs },
    ageMs,
    scope,
    tags,
  });
});

test.each<
  [string, Partial<SubgraphValue>, Partial<CacheRule>, Partial<StorageOptions>, StorageDecision['kind']]
>([
  ['the response has errors', { hasErrors: true }, {}, {}, 'errors'],
  ['Cache-Control: no-store', { headers: { cacheControl: 'no-store', age: undefined } }, {}, {}, 'refused'],
  [
    'Cache-Control: max-age is "x", not a number of seconds',
    { headers: { cacheControl: 'max-age=x', age: undefined } },
    {},
    {},
    'invalid',
  ],
  ['the value is private, and the request has no identity', {}, { scope: 'PRIVATE' }, {}, 'refused'],
  [
    'the value is private, and the request has no identity',
    { headers: { cacheControl: 'private', age: undefined } },
    {},
    {},
    'refused',
  ],
  ['the value has already expired', { headers: { cacheControl: undefined, age: '600' } }, {}, {}, 'refused'],
  [
    'the value has already expired',
    { headers: { cacheControl: 'max-age=0, must-revalidate', age: undefined } },
    {},
    {},
    'refused',
  ],
  ['the value has already expired', { isNull: true }, {}, { nullMaxAgeMs: 0 }, 'refused'],
  [
    'the value has already expired',
    { isNull: true, headers: { cacheControl: 'max-age=2', age: '2' } },
    {},
    {},
    'refused',
  ],
  [
    'the response sets a cookie, which is sent to the client (headers.respond)',
    { hasCookies: true },
    {},
    {},
    'refused',
  ],
  ['extensions.cacheTags is not a list', { extensions: { cacheTags: 'a' } }, {}, {}, 'invalid'],
  ['extensions.cacheTags is not a list', { extensions: { cacheTags: {} } }, {}, {}, 'invalid'],
  [
    'extensions.cacheTags has 4 tags, more than 3',
    { extensions: { cacheTags: ['a', 'b', 'c', 'd'] } },
    {},
    {},
    'invalid',
  ],
  [
    'extensions.cacheTags has a tag of 6 characters, more than 5',
    { extensions: { cacheTags: ['123456'] } },
    {},
    {},
    'invalid',
  ],
  [
    'extensions.cacheTags has a tag that is not a string, or blank',
    { extensions: { cacheTags: [1] } },
    {},
    {},
    'invalid',
  ],
  [
    'extensions.cacheTags has a tag that is not a string, or blank',
    { extensions: { cacheTags: [' '] } },
    {},
    {},
    'invalid',
  ],
  [
    'extensions.cacheTags has a tag that is not a string, or blank',
    { extensions: { cacheTags: ['a\0'] } },
    {},
    {},
    'invalid',
  ],
])('a value is not stored: %s', (reason, value, ownRule, ownOptions, kind) => {
  expect(
    decideStorage({ ...rule, ...ownRule }, { ...subgraphValue, ...value }, { ...options, ...ownOptions }),
  ).toEqual({
    kind,
    reason,
  });
});

test('a response never extends the lifetime or the audience of its rule', () => {
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
          { ...subgraphValue, headers, isNull },
          { ...options, identity: 'u1' },
        );
        if (stored.kind !== 'stored') return;
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
