import { expect, test } from '@jest/globals';
import { truncate, truncateList } from '../../../gateway/json/truncate.ts';

test('a text is shortened to the length, with an ellipsis as its last character', () => {
  expect([truncate('four', 4), truncate('five!', 4)]).toEqual(['four', 'fiv…']);
});

test('half of a surrogate pair is left out', () => {
  expect([truncate('ab\u{1F600}c', 4), truncate('ab\u{1F600}cd', 5)]).toEqual(['ab…', 'ab\u{1F600}…']);
});

test('a list that is too long ends with the number of the other texts', () => {
  const texts = ['a', 'b', 'c'];
  expect([truncateList(texts, 3), truncateList(texts, 2)]).toEqual([texts, ['a', 'b', 'and 1 more']]);
});
