import { describe, expect, test } from '@jest/globals';
import { type AwaitedEnrichment, FirstResponseGate } from '../../../gateway/execution/firstResponseGate.ts';
import { LatencyBudget } from '../../../gateway/execution/latencyBudget.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

const enrichment = (group: number, budgetMs: number): AwaitedEnrichment => ({
  group,
  budgetMs,
  rule: { coordinate: `Product.field${group}`, budgetMs, priority: 'NORMAL' },
});

const primary = 0;

function start(budgets: readonly number[], isPatient = false) {
  const timers = new FakeTimers();
  const ready: [number, number][] = [];
  const settled: string[] = [];
  const failed = new Set<number>();
  let now = 0;
  const budget = new LatencyBudget();
  const wait = new FirstResponseGate({
    budget,
    enrichments: budgets.map((budgetMs, index) => enrichment(index + 1, budgetMs)),
    waitsForAll: isPatient,
    elapsedMs: () => now,
    timers,
    isRetryable: (group) => failed.has(group),
    onReady: ({ group }, elapsedMs) => ready.push([group, elapsedMs]),
  });
  const note = (name: string, promise: Promise<void>) =>
    promise.then(
      () => settled.push(name),
      (reason) => settled.push(`${name}: ${String(reason)}`),
    );
  void note('over', wait.readyToSend);
  void note('complete', wait.allComplete);
  return {
    wait,
    budget,
    timers,
    ready,
    failed,
    /** What has settled, once all that is due has been done. */
    settled: async () => {
      await waitForTurns(4);
      return [...settled];
    },
    pendingGroups: () => [...wait.pendingGroups],
    pass(ms: number): void {
      now += ms;
      timers.advance(ms);
    },
  };
}

describe('the first response', () => {
  test.each([
    ['one turn after its budget, in which responses that have arrived are read', false, 1],
    ['two turns after its budget if the cache may have stale values', true, 2],
  ])('is sent %s', async (_, mayServeStale, turns) => {
    const { wait, budget, pass, settled } = start([100]);
    budget.mayServeStale = mayServeStale;
    wait.completeGroup(primary);
    let sentAfter: number | undefined;
    let turn = 0;
    void wait.readyToSend.then(() => {
      sentAfter = turn;
    });
    pass(100);
    for (; turn < 4; turn++) await waitForTurns(1);
    expect([sentAfter, await settled()]).toEqual([turns - 1, ['over']]);
  });

  test('is sent at once when all that is missing has failed, and without it', async () => {
    const { wait, failed, settled, pendingGroups } = start([100, 100]);
    failed.add(1);
    for (const group of [1, primary]) wait.completeGroup(group);
    expect(await settled()).toEqual([]);
    wait.completeGroup(2);
    expect([await settled(), pendingGroups()]).toEqual([['over', 'complete'], [1]]);
  });

  test('is sent at once when everything is complete', async () => {
    const { wait, budget, settled, ready, timers, pass } = start([100]);
    pass(20);
    wait.completeGroup(1);
    expect(await settled()).toEqual([]);
    pass(10);
    wait.completeGroup(primary);
    expect(await settled()).toEqual(['over', 'complete']);
    expect([ready, timers.pendingCount, budget.isExpired]).toEqual([[[1, 20]], 0, false]);
  });

  test('waits for an enrichment until its budget expires', async () => {
    const { wait, budget, settled, pendingGroups, timers, pass } = start([100]);
    pass(30);
    wait.completeGroup(primary);
    pass(69);
    expect(await settled()).toEqual([]);
    pass(1);
    expect(budget.isExpired).toBe(true);
    expect([await settled(), pendingGroups(), timers.pendingCount]).toEqual([['over'], [1], 0]);
  });

  test('waits for the primary data without limit, and then for no enrichment beyond its budget', async () => {
    const { wait, budget, settled, pendingGroups, timers, pass } = start([100]);
    pass(5_000);
    expect([await settled(), timers.pendingCount, budget.isExpired]).toEqual([[], 0, false]);
    wait.completeGroup(primary);
    expect([await settled(), pendingGroups()]).toEqual([['over'], [1]]);
  });

  test('has an enrichment that is complete after its budget but before the primary data', async () => {
    const { wait, settled, ready, pendingGroups, pass } = start([100]);
    pass(500);
    wait.completeGroup(1);
    wait.completeGroup(primary);
    expect([await settled(), pendingGroups(), ready]).toEqual([['over', 'complete'], [], [[1, 500]]]);
  });

  test('waits for the longest budget of the pending enrichments', async () => {
    const { wait, settled, pendingGroups, pass } = start([100, 300, 0]);
    wait.completeGroup(primary);
    pass(100);
    expect([await settled(), pendingGroups()]).toEqual([[], [1, 2, 3]]);
    pass(100);
    wait.completeGroup(2);
    // The longest budget that is left is over.
    expect([await settled(), pendingGroups()]).toEqual([['over'], [1, 3]]);
  });

  test('is sent before a longer budget expires when only an enrichment with a shorter one is pending', async () => {
    const { wait, settled, timers, pass } = start([100, 300]);
    wait.completeGroup(primary);
    pass(50);
    wait.completeGroup(2);
    pass(49);
    expect([await settled(), timers.pendingCount]).toEqual([[], 1]);
    pass(1);
    expect(await settled()).toEqual(['over']);
  });

  test('has stale values that are available when the budget expires', async () => {
    const { wait, budget, settled, ready, pendingGroups, pass } = start([100, 100]);
    budget.onExpire(() => wait.completeGroup(2));
    wait.completeGroup(primary);
    pass(100);
    expect([await settled(), pendingGroups(), ready]).toEqual([['over'], [1], [[2, 100]]]);
  });

  test('has a stale value that needs another stale value first', async () => {
    const { wait, budget, settled, pendingGroups, pass } = start([100]);
    budget.onExpire(() => setImmediate(() => wait.completeGroup(1)));
    wait.completeGroup(primary);
    pass(100);
    expect([await settled(), pendingGroups()]).toEqual([['over', 'complete'], []]);
  });

  test('is sent once, though enrichments complete afterwards', async () => {
    const { wait, settled, ready, timers, pass } = start([100, 200]);
    wait.completeGroup(primary);
    pass(200);
    expect(await settled()).toEqual(['over']);
    pass(50);
    wait.completeGroup(1);
    expect([await settled(), timers.pendingCount]).toEqual([['over'], 0]);
    wait.completeGroup(2);
    expect(await settled()).toEqual(['over', 'complete']);
    expect(ready).toEqual([
      [1, 250],
      [2, 250],
    ]);
  });

  test('waits for all enrichments with waitsForAll', async () => {
    const { wait, budget, settled, timers, pass } = start([100], true);
    wait.completeGroup(primary);
    pass(10_000);
    expect([await settled(), timers.pendingCount, budget.isExpired]).toEqual([[], 0, false]);
    wait.completeGroup(1);
    expect(await settled()).toEqual(['over', 'complete']);
  });

  test('is not sent after cancel()', async () => {
    const { wait, budget, settled, timers, pass } = start([100]);
    wait.completeGroup(primary);
    wait.cancel('gone');
    pass(1_000);
    expect([await settled(), timers.pendingCount, budget.isExpired]).toEqual([
      ['over: gone', 'complete: gone'],
      0,
      false,
    ]);
  });
});
