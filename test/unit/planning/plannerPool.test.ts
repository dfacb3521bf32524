import { describe, expect, test } from '@jest/globals';
import { Kind } from 'graphql';
import { PlannerPool, type PlannerPoolLimits } from '../../../gateway/planning/plannerPool.ts';
import type {
  PlannerThread,
  PlanOutcome,
  ThreadLossReason,
} from '../../../gateway/planning/plannerThread.ts';
import { readSupergraphNames } from '../../../gateway/planning/supergraphNames.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

const limits: PlannerPoolLimits = {
  threads: 2,
  spareAfterMs: 250,
  timeoutMs: 5_000,
  maxWaiting: 3,
  maxWaitingCharacters: 1_000,
};

/** A thread whose plans the test settles. */
class HeldThread implements PlannerThread {
  readonly apiSchemaSdl = '';
  readonly subgraphs = [];
  readonly overrides = new Map();
  readonly names = readSupergraphNames({ kind: Kind.DOCUMENT, definitions: [] });
  document: string | undefined;
  isEnded = false;
  readonly #exited = Promise.withResolvers<ThreadLossReason>();
  #settle: ((outcome: PlanOutcome) => void) | undefined;

  get exited(): Promise<ThreadLossReason> {
    return this.#exited.promise;
  }

  readonly isAlive = (): boolean => !this.isEnded;

  plan({ document }: { readonly document: string }): Promise<PlanOutcome> {
    this.document = document;
    return new Promise((settle) => {
      this.#settle = settle;
    });
  }

  async finish(outcome: PlanOutcome = { kind: 'planned', plan: { kind: 'QueryPlan' } }): Promise<void> {
    if (outcome.kind === 'lost') {
      this.isEnded = true;
      this.#exited.resolve(outcome.reason);
    }
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
  const timers = new FakeTimers();
  const threads = [new HeldThread()];
  const failures: unknown[] = [];
  let failure: Error | undefined;
  let starting: Promise<void> | undefined;
  const pool = new PlannerPool({
    limits: { ...limits, ...changed },
    timers,
    initialThread: threads[0] as HeldThread,
    onThreadFailure: (cause) => failures.push(cause),
    startThread: async () => {
      if (failure !== undefined) throw failure;
      const thread = new HeldThread();
      threads.push(thread);
      if (starting !== undefined) await starting;
      return thread;
    },
  });
  return {
    pool,
    timers,
    threads,
    failures,
    thread: (index: number) => threads[index] as HeldThread,
    failToStart: (error: Error | undefined) => {
      failure = error;
    },
    /** From now on threads start when the returned function is called. */
    holdStarts: () => {
      const { promise, resolve } = Promise.withResolvers<void>();
      starting = promise;
      return resolve;
    },
    plan: (document: string) => pool.plan({ document, shouldSplitDefer: false }),
    /** Ends the pause before the next start. Returns its length in milliseconds. */
    endBackoff: async () => {
      const [ms = Number.NaN] = timers.pendingMs();
      timers.fire(ms);
      await waitForTurns();
      return ms;
    },
    underWay: () => threads.map(({ document }) => document),
  };
}

describe('the queue of the planner pool', () => {
  test('is processed by ascending document length, and by age for equal lengths', async () => {
    const { plan, thread, underWay } = open();
    for (const document of ['first', 'long one', 'b', 'a']) void plan(document);
    const order: unknown[] = [];
    for (let count = 0; count < 4; count++) {
      order.push(...underWay());
      await thread(0).finish();
    }
    expect(order).toEqual(['first', 'b', 'a', 'long one']);
  });

  test('refuses requests beyond its maximum number until there is room again', async () => {
    const { plan, thread } = open();
    for (const document of ['under way', 'a', 'b', 'c']) void plan(document);
    expect(await plan('d')).toEqual({ kind: 'overloaded' });
    await thread(0).finish();
    void plan('d');
    expect(await plan('e')).toEqual({ kind: 'overloaded' });
  });

  test('refuses requests beyond its maximum number of characters, but accepts a single request of any size', async () => {
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

describe('a slow plan', () => {
  test('does not start a second thread while no request is queued', async () => {
    const { plan, timers, threads } = open();
    void plan('slow');
    timers.fire(250);
    await waitForTurns();
    expect(threads).toHaveLength(1);
  });

  test('does not block queued requests: a second thread plans them, and is terminated after its idle time', async () => {
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
    // A later request uses the second thread.
    void plan('next');
    expect(underWay()).toEqual(['slow', 'next']);
    await thread(1).finish();
    await thread(0).finish();
    expect((await slow).kind).toBe('planned');
    expect(timers.pendingMs()).toEqual([60_000, 60_000]);
    timers.fire(60_000);
    timers.fire(60_000);
    await waitForTurns();
    // The other one stays, and is not replaced either.
    expect(threads.map(({ isEnded }) => isEnded)).toEqual(expect.arrayContaining([true, false]));
    expect(threads).toHaveLength(2);
  });

  test('starts a second thread immediately for a later request', async () => {
    const { plan, timers, underWay } = open();
    void plan('slow');
    timers.fire(250);
    void plan('quick');
    await waitForTurns();
    expect(underWay()).toEqual(['slow', 'quick']);
  });

  test('does not start more threads than the limit allows', async () => {
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

  test('that ends its thread needs no replacement if a second thread is running', async () => {
    const { plan, timers, thread, threads, underWay } = open();
    const slow = plan('slow');
    void plan('quick');
    timers.fire(250);
    await waitForTurns();
    await thread(0).finish({ kind: 'lost', reason: { kind: 'time' } });
    expect(await slow).toEqual({ kind: 'lost', reason: { kind: 'time' } });
    expect([threads.length, underWay()]).toStrictEqual([2, [undefined, 'quick']]);
  });
});

/** Matches a number in a range. */
function between(min: number, max: number): unknown {
  return { asymmetricMatch: (value: unknown) => Number(value) >= min && Number(value) <= max };
}

describe('a planner thread', () => {
  test('that exceeded a limit is replaced immediately, before the next request', async () => {
    const { plan, thread, threads, underWay } = open();
    void plan('hostile');
    await thread(0).finish({ kind: 'lost', reason: { kind: 'memory' } });
    expect(threads).toHaveLength(2);
    void plan('next');
    expect(underWay()).toStrictEqual([undefined, 'next']);
  });

  test('that has ended gets no operation, although its end is still to be reported', async () => {
    const { plan, thread, underWay } = open();
    thread(0).isEnded = true;
    void plan('next');
    await waitForTurns();
    expect(underWay()).toStrictEqual([undefined, 'next']);
  });

  test('that starts while the pool is closed is ended', async () => {
    const { pool, plan, thread, threads, holdStarts } = open();
    const start = holdStarts();
    void plan('hostile');
    await thread(0).finish({ kind: 'lost', reason: { kind: 'time' } });
    const closed = pool.close();
    start();
    await closed;
    expect(threads.map(({ isEnded }) => isEnded)).toEqual([true, true]);
  });

  test('that could not be started is not needed any more when the queue is empty after the pause', async () => {
    const { plan, timers, thread, threads, failToStart } = open();
    for (const document of ['slow', 'quick']) void plan(document);
    failToStart(new Error('no memory'));
    timers.fire(250);
    await waitForTurns();
    failToStart(undefined);
    await thread(0).finish();
    await thread(0).finish();
    const [pauseMs = Number.NaN] = timers.pendingMs();
    timers.fire(pauseMs);
    await waitForTurns();
    expect(threads).toHaveLength(1);
  });

  test('that exits by itself is replaced after a pause, whether it was planning or idle', async () => {
    const { plan, thread, threads, failures, endBackoff, underWay } = open();
    const crash = { kind: 'crash', error: new Error('crash') } as const;
    await thread(0).finish({ kind: 'lost', reason: crash });
    const waiting = plan('waits');
    await waitForTurns();
    expect([threads.length, failures]).toEqual([1, [crash.error]]);
    const first = await endBackoff();
    expect(underWay()).toStrictEqual([undefined, 'waits']);
    await thread(1).finish({ kind: 'lost', reason: crash });
    expect(await waiting).toEqual({ kind: 'lost', reason: crash });
    expect(threads).toHaveLength(2);
    const second = await endBackoff();
    expect([first, second]).toEqual([between(50, 100), between(100, 200)]);
    // A thread that plans ends the series of failures.
    void plan('next');
    await thread(2).finish();
    await thread(2).finish({ kind: 'lost', reason: { kind: 'ended' } });
    expect(await endBackoff()).toEqual(between(50, 100));
    expect([threads.length, failures.length]).toEqual([4, 3]);
  });

  test('that exits and cannot be replaced fails queued requests; later requests wait for the next start', async () => {
    const { plan, thread, failToStart, endBackoff, underWay } = open();
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
    expect(underWay()).toStrictEqual([undefined]);
    await endBackoff();
    expect(underWay()).toStrictEqual([undefined, 'later']);
  });

  test('continues alone when a second thread cannot be started', async () => {
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

test('closing the planner pool terminates every thread and ends running and queued requests as closed', async () => {
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
