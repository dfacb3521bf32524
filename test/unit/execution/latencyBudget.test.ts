import { describe, expect, test } from '@jest/globals';
import { LatencyBudget } from '../../../gateway/execution/latencyBudget.ts';

describe('the refresh of stale values', () => {
  test('is reported once per group, when the last of its fetches has ended', () => {
    const budget = new LatencyBudget();
    const reports: string[] = [];
    const [first, second, other] = [
      budget.trackStaleFallback(1),
      budget.trackStaleFallback(1),
      budget.trackStaleFallback(2),
    ];
    budget.onRefreshed(1, () => reports.push('one'));
    budget.onRefreshed(2, () => reports.push('two'));
    first();
    expect(reports).toEqual([]);
    other();
    second();
    expect(reports).toEqual(['two', 'one']);
  });

  test('is reported at once when no fetch of the group was answered with a stale value, or all have ended', () => {
    const budget = new LatencyBudget();
    const reports: string[] = [];
    budget.onRefreshed(1, () => reports.push('nothing'));
    budget.trackStaleFallback(1)();
    budget.onRefreshed(1, () => reports.push('any more'));
    expect(reports).toEqual(['nothing', 'any more']);
  });
});
