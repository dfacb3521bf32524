import { describe, expect, test } from '@jest/globals';
import { Budget } from '../../../gateway/execution/budget.ts';

describe('what older values stand in for', () => {
  test('is told once per group, when the last of its fetches has ended', () => {
    const budget = new Budget();
    const told: string[] = [];
    const [first, second, other] = [budget.standIn(1), budget.standIn(1), budget.standIn(2)];
    budget.onNewer(1, () => told.push('one'));
    budget.onNewer(2, () => told.push('two'));
    first();
    expect(told).toEqual([]);
    other();
    second();
    expect(told).toEqual(['two', 'one']);
  });

  test('is told at once where nothing does, or does any more', () => {
    const budget = new Budget();
    const told: string[] = [];
    budget.onNewer(1, () => told.push('nothing'));
    budget.standIn(1)();
    budget.onNewer(1, () => told.push('any more'));
    expect(told).toEqual(['nothing', 'any more']);
  });
});
