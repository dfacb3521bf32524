import { expect, test } from '@jest/globals';
import { keyHeaders } from '../../../../gateway/cache/rules/keyHeaders.ts';

const pairs = ['accept-language', 'authorization', 'authorization', 'Bearer a', 'x-shop', 'de'];

test('public values are kept apart by all forwarded headers but those that are said to change nothing', () => {
  expect(keyHeaders(pairs, 'PUBLIC', new Set())).toEqual(pairs);
  expect(keyHeaders(pairs, 'PUBLIC', new Set(['authorization', 'absent']))).toEqual([
    'accept-language',
    'authorization',
    'x-shop',
    'de',
  ]);
});

test('private values are kept apart by all of them', () => {
  expect(keyHeaders(pairs, 'PRIVATE', new Set(['authorization']))).toEqual(pairs);
});
