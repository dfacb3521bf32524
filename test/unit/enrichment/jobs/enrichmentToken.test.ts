import { expect, test } from '@jest/globals';
import {
  createToken,
  isWellFormedToken,
  mayUseToken,
  ownerHashOf,
} from '../../../../gateway/enrichment/jobs/enrichmentToken.ts';

test('createToken returns different tokens of 192 bits', () => {
  const tokens = Array.from({ length: 1_000 }, createToken);
  expect(new Set(tokens).size).toBe(1_000);
  expect(tokens.every(isWellFormedToken)).toBe(true);
  expect(Buffer.from(tokens[0] ?? '', 'base64url')).toHaveLength(24);
});

test.each([
  '',
  'a'.repeat(31),
  'a'.repeat(33),
  `${'a'.repeat(31)}:`,
  `${'a'.repeat(31)}é`,
  `${'a'.repeat(32)}\n`,
])('isWellFormedToken refuses %j', (text) => {
  expect(isWellFormedToken(text)).toBe(false);
});

test('a token belongs to its owner, and to everyone who has it if it has no owner', () => {
  const callers = ['ada', 'bob', undefined].map((tokenOwner) => ({ tokenOwner }));
  const usersOf = (hash: string) => callers.map((caller) => mayUseToken(hash, caller));
  expect(usersOf(ownerHashOf({ tokenOwner: 'ada' }))).toEqual([true, false, false]);
  expect(usersOf(ownerHashOf({ tokenOwner: undefined }))).toEqual([true, true, true]);
  expect(usersOf('short')).toEqual([false, false, false]);
});
