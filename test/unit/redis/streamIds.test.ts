import { expect, test } from '@jest/globals';
import { isLaterId, isStreamId, nextId } from '../../../gateway/redis/streamIds.ts';

test('stream ids are compared as numbers of any size', () => {
  expect(isLaterId('2-0', '10-0')).toBe(false);
  expect(isLaterId('10-0', '2-5')).toBe(true);
  expect(isLaterId('5-10', '5-9')).toBe(true);
  expect(isLaterId('5-9', '5-9')).toBe(false);
  expect(
    isLaterId('18446744073709551615-18446744073709551615', '18446744073709551615-18446744073709551614'),
  ).toBe(true);
});

test('nextId returns the smallest larger id', () => {
  expect(nextId('0-0')).toBe('0-1');
  expect(nextId('5-9007199254740993')).toBe('5-9007199254740994');
  expect(nextId('5-18446744073709551615')).toBe('6-0');
  expect(nextId('18446744073709551615-18446744073709551615')).toBe('');
});

test('isStreamId accepts only valid ids', () => {
  const ids = ['0-0', '1795559401045-12', '18446744073709551615-18446744073709551615'];
  expect(ids.filter(isStreamId)).toEqual(ids);
  expect(
    ['', '5', '$', '-', '1-', '01-1', '1-01', '1-1-1', '-1-1', '1-1\n', 'x-1'].filter(isStreamId),
  ).toEqual([]);
  // Redis counts in 64 bits.
  expect(
    ['18446744073709551616-0', '0-18446744073709551616', '99999999999999999999-0'].filter(isStreamId),
  ).toEqual([]);
});
