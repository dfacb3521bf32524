import { expect, test } from '@jest/globals';
import {
  createToken,
  hashOf,
  isSameHash,
  isWellFormedToken,
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

test('isSameHash compares whole hashes', () => {
  expect(isSameHash(hashOf('ada'), hashOf('ada'))).toBe(true);
  expect(isSameHash(hashOf('ada'), hashOf('bob'))).toBe(false);
  expect(isSameHash(hashOf('ada'), 'short')).toBe(false);
});
