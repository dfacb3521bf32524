import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type AllowedCaching, readCacheControl } from '../../../gateway/subgraphs/cacheControl.ts';

const read = (cacheControl?: string, age?: string) => readCacheControl({ cacheControl, age });

const noDirectives: AllowedCaching = {
  kind: 'allowed',
  maxAgeMs: undefined,
  staleWhileRevalidateMs: undefined,
  staleIfErrorMs: undefined,
  isPrivate: false,
  ageMs: 0,
};

const noStale = { staleWhileRevalidateMs: 0, staleIfErrorMs: 0 };

test.each<[string | undefined, Partial<AllowedCaching>]>([
  [undefined, {}],
  ['', {}],
  [' , ,', {}],
  ['public', {}],
  ['max-age=60', { maxAgeMs: 60_000 }],
  ['max-age="60"', { maxAgeMs: 60_000 }],
  ['max-age="\\6\\0"', { maxAgeMs: 60_000 }],
  ['MAX-AGE=60', { maxAgeMs: 60_000 }],
  ['max-age=007', { maxAgeMs: 7_000 }],
  ['max-age=0', { maxAgeMs: 0 }],
  ['  max-age=60\t,,public ', { maxAgeMs: 60_000 }],
  ['max-age=60, max-age="60"', { maxAgeMs: 60_000 }],
  ['max-age=99999999999999999999999999', { maxAgeMs: (2 ** 31 - 1) * 1_000 }],
  ['private', { isPrivate: true }],
  ['private="x-user, cookie", max-age=5', { isPrivate: true, maxAgeMs: 5_000 }],
  ['max-age=60, s-maxage=5', { maxAgeMs: 5_000, ...noStale }],
  ['s-maxage=600, max-age=5', { maxAgeMs: 600_000, ...noStale }],
  [
    's-maxage=5, stale-while-revalidate=9',
    { maxAgeMs: 5_000, staleWhileRevalidateMs: 9_000, staleIfErrorMs: 0 },
  ],
  ['stale-while-revalidate=9, stale-if-error=8', { staleWhileRevalidateMs: 9_000, staleIfErrorMs: 8_000 }],
  ['max-age=5, must-revalidate, stale-if-error=8', { maxAgeMs: 5_000, ...noStale }],
  ['max-age=5, proxy-revalidate', { maxAgeMs: 5_000, ...noStale }],
  ['immutable, x-mine="a, max-age=1", community=UCI, max-age=5', { maxAgeMs: 5_000 }],
  ['x-mine="a \\" no-store", max-age=5', { maxAgeMs: 5_000 }],
  ['constructor, __proto__=1', {}],
])('the header Cache-Control: %s is parsed', (text, expected) => {
  expect(read(text)).toEqual({ ...noDirectives, ...expected });
});

test.each([
  ['no-store', 'Cache-Control: no-store'],
  ['max-age=60, No-Store', 'Cache-Control: no-store'],
  ['no-store=1', 'Cache-Control: no-store'],
  ['no-cache', 'Cache-Control: no-cache'],
  ['no-cache="set-cookie", max-age=60', 'Cache-Control: no-cache'],
  ['private, no-cache, no-store', 'Cache-Control: no-store'],
])('the header Cache-Control: %s is valid and forbids storing', (text, reason) => {
  expect(read(text)).toEqual({ kind: 'refused', reason });
});

test.each([
  ['max-age', 'Cache-Control: max-age is without a value, not a number of seconds'],
  ['max-age=', 'Cache-Control: "max-age=" cannot be parsed'],
  ['max-age=""', 'Cache-Control: max-age is "", not a number of seconds'],
  ['max-age=-1', 'Cache-Control: max-age is "-1", not a number of seconds'],
  ['max-age=1.5', 'Cache-Control: max-age is "1.5", not a number of seconds'],
  ['max-age=1e3', 'Cache-Control: max-age is "1e3", not a number of seconds'],
  ['max-age=5m', 'Cache-Control: max-age is "5m", not a number of seconds'],
  ["max-age='5'", 'Cache-Control: max-age is "\'5\'", not a number of seconds'],
  ['max-age=5, max-age=6', 'Cache-Control has two different values of max-age'],
  ['stale-if-error=x', 'Cache-Control: stale-if-error is "x", not a number of seconds'],
  ['max-age: 60', 'Cache-Control: "max-age: 60" cannot be parsed'],
  ['max-age = 60', 'Cache-Control: "max-age = 60" cannot be parsed'],
  ['max-age=60; public', 'Cache-Control: "max-age=60; public" cannot be parsed'],
  ['max-age=60 public', 'Cache-Control: "max-age=60 public" cannot be parsed'],
  ['max-age="60', 'Cache-Control: "max-age=\\"60" cannot be parsed'],
  ['=60', 'Cache-Control: "=60" cannot be parsed'],
  ['é', 'Cache-Control: "é" cannot be parsed'],
  ['@'.repeat(100), `Cache-Control: "${'@'.repeat(59)}…" cannot be parsed`],
])('the header Cache-Control: %s is invalid', (text, reason) => {
  expect(read(text)).toEqual({ kind: 'invalid', reason });
});

test.each([
  ['0', 0],
  ['30', 30_000],
  [' 30 , 40', 30_000],
  ['99999999999999', (2 ** 31 - 1) * 1_000],
])('the header Age: %s is parsed', (age, ageMs) => {
  expect(read('max-age=60', age)).toEqual({ ...noDirectives, maxAgeMs: 60_000, ageMs });
});

test.each([['-1'], ['1.5'], ['old'], [''], [', 5']])(
  'the header Age: "%s" is invalid, because the age is unknown',
  (age) => {
    expect(read('max-age=60', age)).toMatchObject({ kind: 'invalid' });
  },
);

test('arbitrary headers are parsed without an error, and durations are neither negative nor infinite', () => {
  const piece = fc.oneof(
    fc.constantFrom('max-age', 's-maxage', 'no-store', 'stale-if-error', '=', ',', '"', '\\', ' ', '5', '-'),
    fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)),
  );
  fc.assert(
    fc.property(fc.array(piece), fc.array(piece), (header, age) => {
      const found = read(header.join(''), age.join(''));
      if (found.kind !== 'allowed') return;
      const { maxAgeMs = 0, staleWhileRevalidateMs = 0, staleIfErrorMs = 0, ageMs } = found;
      for (const ms of [maxAgeMs, staleWhileRevalidateMs, staleIfErrorMs, ageMs]) {
        expect(ms).toBeGreaterThanOrEqual(0);
        expect(ms).toBeLessThan(2 ** 31 * 1_000);
      }
    }),
  );
});
