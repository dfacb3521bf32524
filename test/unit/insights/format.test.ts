import { describe, expect, test } from '@jest/globals';
import { formatCountOf, formatMs, formatShare } from '../../../gateway/insights/page/format.ts';

describe('numbers of the insights page', () => {
  test.each([
    [0, '0 answers'],
    [1, '1 answer'],
    [2000, '2,000 answers'],
  ])('counts %d', (count, expected) => {
    expect(formatCountOf(count, 'answer')).toBe(expected);
  });

  test.each([
    [4.24, '4.2 ms'],
    [340, '340 ms'],
    [1240, '1.2 s'],
    [null, '–'],
  ])('formats %p milliseconds', (ms, expected) => {
    expect(formatMs(ms)).toBe(expected);
  });

  test.each([
    [0, '0 %'],
    [0.004, '< 1 %'],
    [0.997, '> 99 %'],
    [1, '100 %'],
  ])('shows a share of %p without rounding it to none or all', (share, expected) => {
    expect(formatShare(share)).toBe(expected);
  });
});
