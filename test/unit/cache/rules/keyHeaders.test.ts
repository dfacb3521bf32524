import { expect, test } from '@jest/globals';
import { selectKeyHeaders } from '../../../../gateway/cache/rules/keyHeaders.ts';

const pairs = ['accept-language', 'authorization', 'authorization', 'Bearer a', 'x-shop', 'de'];

test('public values are kept apart by all forwarded headers but those that are said to change nothing', () => {
  expect(selectKeyHeaders(pairs, 'PUBLIC', new Set())).toEqual(pairs);
  expect(selectKeyHeaders(pairs, 'PUBLIC', new Set(['authorization', 'absent']))).toEqual([
    'accept-language',
    'authorization',
    'x-shop',
    'de',
  ]);
});

test('private values are kept apart by all of them', () => {
  expect(selectKeyHeaders(pairs, 'PRIVATE', new Set(['authorization']))).toEqual(pairs);
});
