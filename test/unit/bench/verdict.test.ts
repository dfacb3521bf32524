import { describe, expect, test } from '@jest/globals';
import { parsePerfStat } from '../../../bench/instructionCount.ts';
import { medianBounds, verdictOf } from '../../../bench/verdict.ts';

describe('the verdict of a comparison', () => {
  test('six pairs beyond the limit are slower, and six within it are not', () => {
    expect(verdictOf([1.06, 1.07, 1.09, 1.08, 1.06, 1.1], 1.05)).toBe('slower');
    expect(verdictOf([0.98, 1.01, 1.04, 0.97, 1.0, 1.02], 1.05)).toBe('within');
  });

  test('five equal pairs decide nothing, because chance alone gives them in one case of sixteen', () => {
    expect(verdictOf([1.2, 1.2, 1.2, 1.2, 1.2], 1.05)).toBe('undecided');
    expect(verdictOf([], 1.05)).toBe('undecided');
  });

  test('one outlier among six pairs asks for more of them, and among nine it does not matter', () => {
    const pairs = [1.0, 1.01, 0.99, 1.0, 1.02];
    expect(verdictOf([...pairs, 1.5], 1.05)).toBe('undecided');
    expect(verdictOf([...pairs, 1.5, 1.0, 0.98, 1.01], 1.05)).toBe('within');
  });

  test('the bounds are the ranks of the sign test', () => {
    // Known ranks of the 95 % interval of the median: 1 and 6 of 6, 2 and 9 of 10, 4 and 13 of 16.
    const numbers = (count: number) => Array.from({ length: count }, (_, index) => index + 1);
    expect(medianBounds(numbers(5))).toBeUndefined();
    expect(medianBounds(numbers(6))).toEqual({ lower: 1, upper: 6 });
    expect(medianBounds(numbers(10).reverse())).toEqual({ lower: 2, upper: 9 });
    expect(medianBounds(numbers(16))).toEqual({ lower: 4, upper: 13 });
  });
});

describe('the count of instructions', () => {
  test('is read from the output of perf stat', () => {
    expect(parsePerfStat('# started\n\n1234567890,,instructions:u,1500123,100.00,,\n')).toBe(1_234_567_890);
  });

  test('is missing where the machine cannot count them, or has no perf', () => {
    expect(parsePerfStat('<not supported>,,instructions:u,0,100.00,,\n')).toBeUndefined();
    expect(parsePerfStat(undefined)).toBeUndefined();
  });
});
