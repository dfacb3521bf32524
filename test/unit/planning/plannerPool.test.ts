import { describe, expect, test } from '@jest/globals';
import { PlannerPool, type PlannerPoolLimits } from '../../../gateway/planning/plannerPool.ts';
import type { PlannerThread, PlanOutcome } from '../../../gateway/planning/plannerThread.ts';
import { createManualTimers } from '../../harness/manualTimers.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

const limits: PlannerPoolLimits = {
  threads: 2,
  spareAfterMs: 250,
  spareIdleMs: 60_000,
  timeoutMs: 5_000,
  maxWaiting: 3,
  maxWaitingCharacters: 1_000,
};

/** A thread that plans when the test says so. */
class HeldThread implements PlannerThread {
  readonly apiSchemaSdl = '';
  readonly subgraphs = [];
  readonly overrides = new Map();
  document: string | undefined;
  isEnded = false;
  #settle: ((outcome: PlanOutcome) => void) | undefined;

  readonly isAlive = (): boolean => !this.isEnded;

  plan({ document }: { readonly document: string }): Promise<PlanOutcome> {
    this.document = document;
    return new Promise((settle) => {
      this.#settle = settle;
    });
  }

  async finish(outcome: PlanOutcome = { kind: 'planned', plan: { kind: 'QueryPlan' } }): Promise<void> {
    if (outcome.kind === 'lost') this.isEnded = true;
    this.document = undefined;
    this.#settle?.(outcome);
    await waitForTurns();
  }

  async terminate(): Promise<void> {
    this.isEnded = true;
    await this.finish({ kind: 'lost', reason: { kind: 'ended' } });
  }
}

function open(changed: Partial<PlannerPoolLimits> = {}) {
  const timers = createManualTimers();
  const threads = [new HeldThread()];
  let failure: Error | undefined;
  const pool = new PlannerPool({
    limits: { ...limits, ...changed },
    timers,
    initialThread: threads[0] as HeldThread,
    startThread: () => {
      if (failure !== undefined) return Promise.reject(failure);
      const thread = new HeldThread();
      threads.push(thread);
      return Promise.resolve(thread);
    },
  });
  return {
    pool,
    timers,
    threads,
    thread: (index: number) => threads[index] as HeldThread,
    failToStart: (error: Error | undefined) => {
      failure = error;
    },
    plan: (document: string) => pool.plan({ document, shouldSplitDefer: false }),
    underWay: () => threads.map(({ document }) => document),
  };
}

describe('what waits for the planner', () => {
  test('is planned shortest first, the older of equally long ones before', async () => {
    const { plan, thread, underWay } = open();
    for (const document of ['first', 'long one', 'b', 'a']) void plan(document);
    const order: unknown[] = [];
    for (let count = 0; count < 4; count++) {
      order.push(...underWay());
      await thread(0).finish();
    }
    expect(order).toEqual(['first', 'b', 'a', 'long one']);
  });

  test('is bounded in number: what comes on top of it is turned away, until there is room again', async () => {
    const { plan, thread } = open();
    for (const document of ['under way', 'a', 'b', 'c']) void plan(document);
    expect(await plan('d')).toEqual({ kind: 'overloaded' });
    await thread(0).finish();
    void plan('d');
    expect(await plan('e')).toEqual({ kind: 'overloaded' });
  });

  test('is bounded in characters, but one operation may have any size', async () => {
    const { plan, thread, underWay } = open({ maxWaitingCharacters: 10 });
    void plan('under way');
    void plan('longer than the bound');
    expect(await plan('a')).toEqual({ kind: 'overloaded' });
    await thread(0).finish();
    expect(underWay()).toEqual(['longer than the bound']);
    for (const document of ['12345', '67890']) void plan(document);
    expect(await plan('a')).toEqual({ kind: 'overloaded' });
  });
});

describe('a plan that takes long', () => {
  test('has no second thread started while nobody waits', async () => {
    const { plan, timers, threads } = open();
    void plan('slow');
    timers.fire(250);
    await waitForTurns();
    expect(threads).toHaveLength(1);
  });

  test('holds up nobody: a second thread takes what waits, and is ended when it was idle for long', async () => {
    const { plan, timers, thread, threads, underWay } = open();
    const slow = plan('slow');
    const quick = plan('quick');
    await waitForTurns();
    expect(underWay()).toEqual(['slow']);
    timers.fire(250);
    await waitForTurns();
    expect(underWay()).toEqual(['slow', 'quick']);
    await thread(1).finish();
    expect(await quick).toEqual({ kind: 'planned', plan: { kind: 'QueryPlan' } });
    // Another one finds it there.
    void plan('next');
    expect(underWay()).toEqual(['slow', 'next']);
    await thread(1).finish();
    await thread(0).finish();
    expect((await slow).kind).toBe('planned');
    expect(timers.pendingMs()).toEqual([60_000, 60_000]);
    timers.fire(60_000);
    timers.fire(60_000);
    await waitForTurns();
    expect(threads.filter(({ isEnded }) => !isEnded)).toHaveLength(1);
  });

  test('has a second thread started at once for what comes later', async () => {
    const { plan, timers, underWay } = open();
    void plan('slow');
    timers.fire(250);
    void plan('quick');
    await waitForTurns();
    expect(underWay()).toEqual(['slow', 'quick']);
  });

  test('is not joined by more threads than are allowed', async () => {
    const { plan, timers, threads, underWay } = open();
    for (const document of ['slow', 'quick']) void plan(document);
    timers.fire(250);
    await waitForTurns();
    timers.fire(250);
    void plan('third');
    await waitForTurns();
    expect(underWay()).toEqual(['slow', 'quick']);
    expect(threads).toHaveLength(2);
  });

  test('and is ended needs no new thread where there is a second one', async () => {
    const { plan, timers, thread, threads, underWay } = open();
    const slow = plan('slow');
    void plan('quick');
    timers.fire(250);
    await waitForTurns();
    await thread(0).finish({ kind: 'lost', reason: { kind: 'time' } });
    expect(await slow).toEqual({ kind: 'lost', reason: { kind: 'time' } });
    expect([threads.length, underWay()]).toEqual([2, [undefined, 'quick']]);
  });
});

describe('a thread', () => {
  test('that is lost is replaced before anybody asks', async () => {
    const { plan, thread, threads, underWay } = open();
    void plan('hostile');
    await thread(0).finish({ kind: 'lost', reason: { kind: 'memory' } });
    expect(threads).toHaveLength(2);
    void plan('next');
    expect(underWay()).toEqual([undefined, 'next']);
  });

  test('that is lost and cannot be replaced fails what waits; the next request tries again', async () => {
    const { plan, thread, failToStart, underWay } = open();
    const cause = new Error('no memory');
    failToStart(cause);
    const results = [plan('hostile'), plan('waits')];
    await thread(0).finish({ kind: 'lost', reason: { kind: 'memory' } });
    expect(await Promise.all(results)).toEqual([
      { kind: 'lost', reason: { kind: 'memory' } },
      { kind: 'unavailable', cause },
    ]);
    failToStart(undefined);
    void plan('later');
    await waitForTurns();
    expect(underWay()).toEqual([undefined, 'later']);
  });

  test('that cannot be joined by another one goes on by itself', async () => {
    const { plan, timers, thread, failToStart, underWay } = open();
    failToStart(new Error('no memory'));
    const results = [plan('slow'), plan('waits')];
    timers.fire(250);
    await waitForTurns();
    await thread(0).finish();
    expect(underWay()).toEqual(['waits']);
    await thread(0).finish();
    expect((await Promise.all(results)).map(({ kind }) => kind)).toEqual(['planned', 'planned']);
  });
});

test('closing ends every thread, and what is under way or waits', async () => {
  const { pool, plan, timers, threads } = open();
  const results = ['slow', 'quick', 'waits'].map(plan);
  timers.fire(250);
  await waitForTurns();
  await pool.close();
  expect((await Promise.all(results)).map(({ kind }) => kind)).toEqual(['closed', 'closed', 'closed']);
  expect(threads.map(({ isEnded }) => isEnded)).toEqual([true, true]);
  expect(timers.pendingMs()).toEqual([]);
  expect(await plan('late')).toEqual({ kind: 'closed' });
});
