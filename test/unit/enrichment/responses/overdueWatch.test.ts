import { describe, expect, test } from '@jest/globals';
import { OverdueWatch } from '../../../../gateway/enrichment/responses/overdueWatch.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';

/** Watches enrichments with these budgets, in delivery groups from 1. */
function watch(budgets: readonly number[], elapsedMs = 0) {
  const timers = new FakeTimers();
  const overdue: [number, number][] = [];
  let now = elapsedMs;
  const watched = new OverdueWatch({
    enrichments: budgets.map((budgetMs, index) => ({
      group: index + 1,
      budgetMs,
      rule: { coordinate: `Product.field${index + 1}`, budgetMs, priority: 'NORMAL' },
    })),
    elapsedMs: () => now,
    timers,
    onOverdue: ({ group }) => overdue.push([group, now]),
  });
  return {
    watched,
    timers,
    overdue,
    pass: async (ms: number) => {
      now += ms;
      timers.advance(ms);
      await waitForTurns();
    },
  };
}

describe('an enrichment with a latency budget', () => {
  test('is reported as overdue once, at the end of its own budget', async () => {
    const { overdue, pass, timers } = watch([300, 100, 100]);
    await pass(99);
    expect(overdue).toEqual([]);
    await pass(1);
    await pass(200);
    await pass(1_000);
    expect(overdue).toEqual([
      [2, 100],
      [3, 100],
      [1, 300],
    ]);
    expect(timers.pendingCount).toBe(0);
  });

  test('is not reported when it is complete, and no timer remains when all are', async () => {
    const { watched, overdue, pass, timers } = watch([100, 200]);
    watched.completeGroup(1);
    await pass(150);
    expect([overdue, timers.pendingCount]).toEqual([[], 1]);
    watched.completeGroup(2);
    expect(timers.pendingCount).toBe(0);
    await pass(100);
    expect(overdue).toEqual([]);
  });

  test('is not reported when it completes in the event loop turn in which its budget ends', async () => {
    const { watched, overdue, timers, pass } = watch([100, 100], 200);
    timers.advance(0);
    watched.completeGroup(1);
    await pass(0);
    expect(overdue).toEqual([[2, 200]]);
  });

  test('is not reported before its budget when a timer fires early', async () => {
    const { overdue, pass, timers } = watch([100], -1);
    timers.advance(101);
    await waitForTurns();
    expect([overdue, timers.pendingCount]).toEqual([[], 1]);
    await pass(101);
    expect(overdue).toEqual([[1, 100]]);
  });

  test('is not reported after stop()', async () => {
    const { watched, overdue, pass, timers } = watch([100]);
    timers.advance(100);
    watched.stop();
    await pass(100);
    expect([overdue, timers.pendingCount]).toEqual([[], 0]);
  });
});

test('a watch without enrichments sets no timer', () => {
  expect(watch([]).timers.pendingCount).toBe(0);
});
