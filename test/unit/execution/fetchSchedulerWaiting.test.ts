import { performance } from 'node:perf_hooks';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { GatewayError } from '../../../gateway/errors.ts';
import { type FetchCall, reportResult, toFailedResult } from '../../../gateway/execution/fetchCall.ts';
import { FetchScheduler } from '../../../gateway/execution/fetchScheduler.ts';
import type { LatencyBudget } from '../../../gateway/execution/latencyBudget.ts';
import type { ScheduledStep } from '../../../gateway/execution/scheduledStep.ts';
import type { RequestTrace, SpanAttributes, TraceSpan } from '../../../gateway/telemetry/trace.ts';
import {
  createFetchCall,
  createRequestContext,
  createScheduledStep,
  entityFetch,
  rootFetch,
  shapeOf,
} from '../../harness/fetchNodes.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

describe('an entity fetch that no other fetch waits for', () => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    jest.spyOn(performance, 'now').mockImplementation(() => Date.now());
  });
  afterEach(() => {
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  interface Execution {
    readonly rootMs?: number;
    readonly leafMs?: number;
    /** Whether the root fetch leads to an entity fetch, as the plan says. */
    readonly hasNext?: boolean;
    /** When that entity fetch is ready, if before the end of the root fetch: a part of it was in the cache. */
    readonly nextAtMs?: number;
    readonly leafAtMs?: number;
    /** What the entity fetch fails with. */
    readonly nextError?: GatewayError;
    readonly maxWaitMs?: number;
    readonly deadlineMs?: number;
    readonly budget?: LatencyBudget;
    readonly cancelAfterMs?: number;
    readonly trace?: RequestTrace;
    /** Called after one millisecond. */
    onFirstMs?(scheduler: FetchScheduler, leaf: ScheduledStep): void;
  }

  /** An operation with a root fetch, which leads to the entity fetch `next`, and the entity fetch `leaf`, which is ready at
   *  once. `leafGroups`, `nextGroups`: the delivery groups that wait for these. Returns a function that executes it and returns
   *  the names and times of each request to the subgraph of both. */
  function createOperation({
    isLast = true,
    leafGroups = [0],
    nextGroups = [0],
    nextSubgraph = 'stock',
  } = {}) {
    const shapes = {
      leaf: shapeOf(entityFetch('stock')),
      next: shapeOf(entityFetch('price', { serviceName: nextSubgraph })),
    };
    const group = leafGroups[0] as number;
    const next = createScheduledStep({ index: 1, shape: shapes.next, group, groups: nextGroups });
    const rootShape = shapeOf(rootFetch('top { id }'));
    const root = createScheduledStep({ shape: rootShape }, [next]);
    const leaf = createScheduledStep(
      { index: 2, shape: shapes.leaf, group, groups: leafGroups },
      isLast ? [] : [createScheduledStep()],
    );

    return async (execution: Execution = {}): Promise<readonly string[]> => {
      const {
        rootMs = 5,
        leafMs = 10,
        hasNext = true,
        nextAtMs,
        leafAtMs = 0,
        nextError,
        maxWaitMs = 50,
        budget,
        cancelAfterMs,
        trace,
        onFirstMs,
      } = execution;
      const { deadlineMs = Number.POSITIVE_INFINITY } = execution;
      const startedAt = Date.now();
      const sent: string[] = [];
      let ended = 0;
      const end = (done: () => void, durationMs: number) => {
        const timer = setTimeout(() => {
          ended += 1;
          done();
        }, durationMs);
        return () => clearTimeout(timer);
      };
      const scheduler = new FetchScheduler(
        {
          sendRoot: ({ onDone }) => end(onDone, rootMs),
          sendEntities({ calls, onDone }) {
            const names = calls.map(({ step }) =>
              step === leaf ? 'leaf' : step === next ? 'next' : 'other',
            );
            sent.push(`${names.join(' + ')} at ${Date.now() - startedAt}`);
            const finish = (): void => {
              if (nextError !== undefined && names.includes('next'))
                for (const call of calls) call.settle(toFailedResult(nextError), () => {});
              onDone();
            };
            return end(finish, names.includes('leaf') ? leafMs : 10);
          },
        },
        createRequestContext({ deadlineFor: () => startedAt + deadlineMs, trace }),
        maxWaitMs,
      );
      const load = (step: ScheduledStep, name: 'leaf' | 'next'): void => {
        const call = createFetchCall([name], { shape: shapes[name], step, group, budget });
        const settle: FetchCall['settle'] = (result, done) => {
          reportResult(call, result);
          done();
        };
        scheduler.load({ ...call, settle }, () => {});
      };
      scheduler.sendTogether(() =>
        scheduler.load(createFetchCall([], { shape: rootShape, step: root }), () => {
          if (hasNext && nextAtMs === undefined) load(next, 'next');
        }),
      );
      for (let ms = 0; ended < 1 + sent.length || sent.length === 0; ms++) {
        if (ms === leafAtMs) load(leaf, 'leaf');
        if (ms === nextAtMs) load(next, 'next');
        if (ms === 1) onFirstMs?.(scheduler, leaf);
        if (ms === cancelAfterMs) {
          scheduler.cancel();
          jest.advanceTimersByTime(1000);
          await waitForTurns(3);
          return sent;
        }
        await waitForTurns(3);
        jest.advanceTimersByTime(1);
        await waitForTurns(3);
      }
      return sent;
    };
  }

  const apart = ['leaf at 0', 'next at 5'];

  /** Executes the operation until it could wait. */
  async function prepare(execute: ReturnType<typeof createOperation>, execution?: Execution): Promise<void> {
    for (let n = 0; n < 8; n++) expect(await execute(execution)).toEqual(apart);
  }

  test('waits for one that came in earlier executions, at most as long as is allowed', async () => {
    const execute = createOperation();
    await prepare(execute);
    expect(await execute()).toEqual(['next + leaf at 5']);
    expect(await execute({ maxWaitMs: 0 })).toEqual(apart);
    expect(await execute({ rootMs: 60 })).toEqual(['leaf at 50', 'next at 60']);
  });

  test('has the time for which it waited in its span', async () => {
    const attributes: SpanAttributes[] = [];
    const span = {
      startChild: (): TraceSpan => span,
      setAttributes: (added: SpanAttributes) => attributes.push(added),
      end: () => {},
    } as Partial<TraceSpan> as TraceSpan;
    const trace: RequestTrace = { root: span, current: span, onOperation: () => {} };
    const execute = createOperation();
    await prepare(execute, { trace });
    expect(await execute({ trace })).toEqual(['next + leaf at 5']);
    expect(attributes.filter((added) => 'tributary.waited_ms' in added)).toEqual([
      { 'tributary.waited_ms': 5 },
    ]);
  });

  test('does not wait where it has waited in vain, until the other one has come again several times', async () => {
    const execute = createOperation();
    await prepare(execute);
    expect(await execute({ hasNext: false })).toEqual(['leaf at 5']);
    expect(await execute({ hasNext: false })).toEqual(['leaf at 0']);
    await prepare(execute);
    expect(await execute()).toEqual(['next + leaf at 5']);
  });

  test('is sent as soon as the one that it waited for is ready, before the rest of the request that led to that one', async () => {
    const execute = createOperation();
    await prepare(execute);
    expect(await execute({ rootMs: 20, nextAtMs: 5 })).toEqual(['next + leaf at 5']);
  });

  test('does not wait for one that was sent before', async () => {
    const execute = createOperation();
    await prepare(execute);
    expect(await execute({ rootMs: 20, nextAtMs: 2, leafAtMs: 8 })).toEqual(['next at 2', 'leaf at 8']);
  });

  test('does not wait for one that failed the last time, because both would fail together', async () => {
    const execute = createOperation();
    await prepare(execute);
    const nextError = new GatewayError('SUBGRAPH_TIMEOUT', 'late');
    expect(await execute({ nextError })).toEqual(['next + leaf at 5']);
    for (let n = 0; n < 20; n++) expect(await execute({ nextError })).toEqual(apart);
  });

  test('waits although another execution of the operation is one that does not', async () => {
    const execute = createOperation();
    await prepare(execute);
    const together = ['next + leaf at 5'];
    for (let n = 9; n <= 30; n++) expect(await execute()).toEqual(together);
    const otherSubgraph = createFetchCall(['1'], {
      shape: shapeOf(entityFetch('weight', { serviceName: 'weights' })),
    });
    const onFirstMs: Execution['onFirstMs'] = (scheduler, leaf) => {
      expect(leaf.onFetch()).toBe(true);
      scheduler.load(otherSubgraph, () => {});
    };
    expect(await execute({ onFirstMs })).toEqual(['other at 1', ...together]);
  });

  test('of a deferred payload waits if the other one is of all payloads that wait for it', async () => {
    const execute = createOperation({ leafGroups: [1, 2], nextGroups: [1, 2, 3] });
    await prepare(execute);
    expect(await execute()).toEqual(['next + leaf at 5']);
    const delaying = createOperation({ leafGroups: [1, 2], nextGroups: [1] });
    await prepare(delaying);
    expect(await delaying()).toEqual(apart);
    const primary = createOperation({ leafGroups: [0, 1], nextGroups: [0] });
    await prepare(primary);
    expect(await primary()).toEqual(['next + leaf at 5']);
  });

  test('waits for a quarter of the remaining time of its subgraph at most', async () => {
    const execute = createOperation();
    await prepare(execute);
    expect(await execute({ rootMs: 60, deadlineMs: 80 })).toEqual(['leaf at 20', 'next at 60']);
  });

  test('does not wait if it takes longer than the other one', async () => {
    const slow = createOperation();
    await prepare(slow, { leafMs: 16 });
    expect(await slow({ leafMs: 16 })).toEqual(apart);
    const similar = createOperation();
    await prepare(similar, { leafMs: 15 });
    expect(await similar({ leafMs: 15 })).toEqual(['next + leaf at 5']);
  });

  test('is sent at once from time to time, which shows whether it takes longer by now', async () => {
    const execute = createOperation();
    await prepare(execute);
    const executions: (readonly string[])[] = [];
    for (let n = 9; n <= 33; n++) executions.push(await execute({ leafMs: 100 }));
    const together = Array.from({ length: 23 }, () => ['next + leaf at 5']);
    expect(executions).toEqual([...together, apart, apart]);
  });

  test('still waits after it once took twice as long', async () => {
    const execute = createOperation();
    await prepare(execute);
    for (let n = 9; n <= 31; n++) await execute();
    expect(await execute({ leafMs: 20 })).toEqual(apart);
    expect(await execute()).toEqual(['next + leaf at 5']);
  });

  test.each([
    ['if another fetch waits for it', createOperation({ isLast: false }), {}],
    ['for one of another subgraph', createOperation({ nextSubgraph: 'prices' }), {}],
    [
      'with a latency budget',
      createOperation(),
      { budget: { isOver: false } as Partial<LatencyBudget> as LatencyBudget },
    ],
  ])('does not wait %s', async (_, execute, execution) => {
    await prepare(execute, execution);
    expect(await execute(execution)).toEqual(apart);
  });

  test('waits for as long as the one with the shortest deadline, also if that was ready later', async () => {
    const known = (field: string, serviceName: string): ScheduledStep => {
      const step = createScheduledStep({ shape: shapeOf(entityFetch(field, { serviceName })) });
      for (let n = 0; n < 8; n++) step.onFetch();
      step.onDuration(10);
      return step;
    };
    const startedAt = Date.now();
    const sent: string[] = [];
    const scheduler = new FetchScheduler(
      {
        sendRoot: () => () => {},
        sendEntities({ calls }) {
          sent.push(`${calls[0]?.shape.subgraph} at ${Date.now() - startedAt}`);
          return () => {};
        },
      },
      createRequestContext({
        deadlineFor: (subgraph) => (subgraph === 'prices' ? startedAt + 50 : Number.POSITIVE_INFINITY),
      }),
      50,
    );
    const load = (serviceName: string): void => {
      const step = known('leaf', serviceName);
      const shape = shapeOf(entityFetch('leaf', { serviceName }));
      scheduler.load(createFetchCall(['1'], { shape, step }), () => {});
    };
    const root = createScheduledStep({}, [known('next', 'stock'), known('next', 'prices')]);
    scheduler.sendTogether(() =>
      scheduler.load(createFetchCall([], { shape: shapeOf(rootFetch('top { id }')), step: root }), () => {}),
    );
    load('stock');
    await waitForTurns(3);
    jest.advanceTimersByTime(10);
    load('prices');
    await waitForTurns(3);
    jest.advanceTimersByTime(100);
    expect(sent).toEqual(['stock at 20', 'prices at 20']);
    scheduler.cancel();
  });

  test('is not sent after the operation was cancelled', async () => {
    const execute = createOperation();
    await prepare(execute);
    expect(await execute({ rootMs: 60, cancelAfterMs: 20 })).toEqual([]);
  });
});
