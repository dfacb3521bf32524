import { expect, test } from '@jest/globals';
import { type DeclaredRule, strictestDeclaredRule } from '../../../../gateway/cache/rules/cacheRule.ts';

const rule = (options: Partial<DeclaredRule> = {}): DeclaredRule => ({
  maxAgeMs: 10,
  staleWhileRevalidateMs: 10,
  staleIfErrorMs: 10,
  scope: undefined,
  tags: [],
  ...options,
});

test.each([
  ['PUBLIC', 'PRIVATE', 'PRIVATE'],
  [undefined, 'PRIVATE', 'PRIVATE'],
  [undefined, 'PUBLIC', 'PUBLIC'],
  [undefined, undefined, undefined],
] as const)(
  'two rules of equal rank with the scopes %s and %s have the scope %s together',
  (one, other, both) => {
    const [a, b] = [rule({ scope: one }), rule({ scope: other })];
    expect([strictestDeclaredRule(a, b).scope, strictestDeclaredRule(b, a).scope]).toEqual([both, both]);
  },
);

test('two rules of equal rank have the shorter of each duration together, and the tags of both', () => {
  const one = rule({ maxAgeMs: 5, staleWhileRevalidateMs: 100, staleIfErrorMs: 1, tags: ['b', 'a'] });
  const other = rule({ maxAgeMs: 10, staleWhileRevalidateMs: 20, staleIfErrorMs: 50, tags: ['b', 'c'] });
  const both = {
    maxAgeMs: 5,
    // Counted from the time of storage, each ends at the earlier of both.
    staleWhileRevalidateMs: 25,
    staleIfErrorMs: 1,
    scope: undefined,
    tags: ['a', 'b', 'c'],
  };
  expect([strictestDeclaredRule(one, other), strictestDeclaredRule(other, one)]).toEqual([both, both]);
});
