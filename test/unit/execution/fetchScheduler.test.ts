import { performance } from 'node:perf_hooks';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { GatewayError } from '../../../gateway/errors.ts';
import {
  type FetchCall,
  type FetchResult,
  reportResult,
  toFailedResult,
  toFetchResult,
} from '../../../gateway/execution/fetchCall.ts';
import { FetchScheduler } from '../../../gateway/execution/fetchScheduler.ts';
import type { FetchSender } from '../../../gateway/execution/fetchSender.ts';
import type { LatencyBudget } from '../../../gateway/execution/latencyBudget.ts';
import type { ScheduledStep } from '../../../gateway/execution/scheduledStep.ts';
import type { RequestRecord } from '../../../gateway/telemetry/requestRecord.ts';
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

const response = {
  data: undefined,
  errors: undefined,
  cacheControl: undefined,
  age: undefined,
  extensions: undefined,
  isEscapeFree: true,
};

/** Has every answer at hand: all is over before the request has been taken. */
function senderAtHand(cancelled: string[]): FetchSender {
  const answer = (calls: readonly FetchCall[], done: () => void): (() => void) => {
    for (const call of calls) call.settle(toFetchResult(response, null, []), () => {});
    done();
    return () => cancelled.push('cancelled');
  };
  return {
    sendEntities: ({ calls, onDone }) => answer(calls, onDone),
    sendRoot: ({ call, onDone }) => answer([call], onDone),
  };
}

describe('a result that is available at once', () => {
  test.each([
    ['entities', createFetchCall(['1'])],
    ['root fields', createFetchCall([], { shape: shapeOf(rootFetch('top { id }')) })],
  ])('settles the call for %s at once and leaves nothing to cancel', async (_, call) => {
    const cancelled: string[] = [];
    const scheduler = new FetchScheduler(senderAtHand(cancelled), createRequestContext());
    await new Promise<unknown>((resolve) => scheduler.load(call, resolve));
    expect(call.results).toHaveLength(1);
    scheduler.cancel();
    expect(cancelled).toEqual([]);
  });
});

test('an equal root fetch of another delivery group is sent by itself, one of the same group is not', async () => {
  const shape = shapeOf(rootFetch('top { id }'));
  const calls = [0, 0, 1].map((group) => ({ ...createFetchCall([], { shape }), group }));
  const sent: number[] = [];
  const sender = senderAtHand([]);
  const scheduler = new FetchScheduler(
    {
      ...sender,
      sendRoot(request) {
        sent.push(request.call.group);
        return sender.sendRoot(request);
      },
    },
    createRequestContext(),
  );
  await Promise.all(calls.map((call) => new Promise((resolve) => scheduler.load(call, resolve))));
  expect(sent).toEqual([0, 1]);
});

test('entity fetches of one subgraph and delivery group are sent together, and each of their steps hears of the end', async () => {
  const calls = [0, 0, 1].map((group, index) => ({ ...createFetchCall([`${index}`]), group }));
  const sent: number[][] = [];
  const sender = senderAtHand([]);
  const scheduler = new FetchScheduler(
    {
      ...sender,
      sendEntities(request) {
        sent.push(request.calls.map(({ group }) => group));
        return sender.sendEntities(request);
      },
    },
    createRequestContext(),
  );
  const settled: number[] = [];
  for (const [index, call] of calls.entries()) scheduler.load(call, () => settled.push(index));
  expect(settled).toEqual([]);
  await waitForTurns();
  expect(settled).toEqual([0, 1, 2]);
  expect(sent.map(([group]) => group)).toEqual([0, 1]);
});

describe('entity fetches of one shape at different paths', () => {
  const entry = (message: string) => ({ message });
  const staleness = { ageMs: 1, reason: 'revalidating' } as const;

  /** Sends two of them, for two entities and for one, and settles them with one result. */
  async function settleTogether(
    result: Partial<Extract<FetchResult, { kind: 'answered' }>> | GatewayError,
  ): Promise<readonly unknown[]> {
    const calls = [createFetchCall(['1', '2']), createFetchCall(['3'])];
    let isDone = false;
    const sender: FetchSender = {
      ...senderAtHand([]),
      sendEntities({ calls: [merged, ...others] }) {
        expect([merged?.representations.length, others]).toEqual([3, []]);
        const settled =
          result instanceof GatewayError
            ? toFailedResult(result)
            : ({ ...toFetchResult(response, null, []), ...result } as FetchResult);
        merged?.settle(settled, () => {
          isDone = true;
        });
        return () => {};
      },
    };
    const scheduler = new FetchScheduler(sender, createRequestContext());
    scheduler.sendTogether(() => {
      for (const call of calls) scheduler.load(call, () => {});
    });
    expect(isDone).toBe(true);
    return calls.flatMap(({ results }) => results);
  }

  test('are one fetch, and each gets its own entities, errors and stale values', async () => {
    const settled = await settleTogether({
      data: ['one', 'two', 'three'],
      errors: [
        { entry: entry('two'), entityIndex: 1, path: ['x'] },
        { entry: entry('three'), entityIndex: 2, path: ['x'] },
      ],
      stale: new Map([
        [1, staleness],
        [2, staleness],
      ]),
    });
    expect(settled).toMatchObject([
      {
        data: ['one', 'two'],
        errors: [{ entry: entry('two'), entityIndex: 1 }],
        stale: new Map([[1, staleness]]),
      },
      {
        data: ['three'],
        errors: [{ entry: entry('three'), entityIndex: 0 }],
        stale: new Map([[0, staleness]]),
      },
    ]);
  });

  test('report an error of the whole fetch once beside data, and at both paths without data', async () => {
    const errors = [{ entry: entry('slow'), entityIndex: undefined, path: [] }];
    expect(await settleTogether({ data: [1, 2, 3], errors })).toMatchObject([{ errors }, { errors: [] }]);
    expect(await settleTogether({ data: undefined, errors })).toMatchObject([{ errors }, { errors }]);
  });

  test('fail together', async () => {
    const error = new GatewayError('SUBGRAPH_TIMEOUT', 'late');
    const failed = { kind: 'failed', error };
    expect(await settleTogether(error)).toEqual([failed, failed]);
  });
});

test('a fetch that ends after it was cancelled, because its result was processed meanwhile, is recorded once', () => {
  const record = { startFetch: jest.fn(), endFetch: jest.fn() };
  const settled: unknown[] = [];
  const ends: (() => void)[] = [];
  const scheduler = new FetchScheduler(
    {
      ...senderAtHand([]),
      sendEntities({ onDone }) {
        ends.push(onDone);
        return () => {};
      },
    },
    createRequestContext({ record: record as unknown as RequestRecord }),
  );
  scheduler.sendTogether(() => scheduler.load(createFetchCall(['1']), () => settled.push('settled')));
  scheduler.cancel();
  ends[0]?.();
  expect(record.startFetch).toHaveBeenCalledTimes(1);
  expect(record.endFetch).toHaveBeenCalledTimes(1);
  expect(settled).toEqual([]);
});

test('a fetch that cannot be sent settles with the fault', async () => {
  const fault = new Error('no such header');
  const scheduler = new FetchScheduler(
    {
      ...senderAtHand([]),
      sendEntities() {
        throw fault;
      },
    },
    createRequestContext(),
  );
  const settled = new Promise<unknown>((resolve) => scheduler.load(createFetchCall(['1']), resolve));
  expect(await settled).toBe(fault);
});

describe('an entity fetch while another fetch is under way', () => {
  const rootShape = shapeOf(rootFetch('top { id }'));
  const entityStep = (
    options: { readonly serviceName?: string; readonly group?: number } = {},
  ): ScheduledStep => {
    const { group = 0, ...node } = options;
    return createScheduledStep({ shape: shapeOf(entityFetch('stock', node)), group });
  };

  /** Loads a root fetch that `next` waits for, and then two entity fetches: one at once, and one when the root fetch has
   *  ended, which `endsInTurn` does in the same turn. Returns the representations of each request. */
  async function sendBeside(
    next: ScheduledStep,
    endsInTurn: boolean,
  ): Promise<readonly (readonly string[])[]> {
    const { sender, sent, endRoots } = senderWithOpenRoots();
    const scheduler = new FetchScheduler(sender, createRequestContext());
    const later = createFetchCall(['2'], { shape: shapeOf(entityFetch('price')) });
    scheduler.sendTogether(() =>
      scheduler.load(createFetchCall([], { shape: rootShape, step: createScheduledStep({}, [next]) }), () =>
        scheduler.load(later, () => {}),
      ),
    );
    scheduler.load(createFetchCall(['1']), () => {});
    if (!endsInTurn) await waitForTurns(2);
    else await waitForPromises();
    endRoots();
    await waitForTurns();
    return sent;
  }

  /** `sent`: the ids of each request to `stock`. Root fetches end when the test ends them, and those of other subgraphs at
   *  once. */
  function senderWithOpenRoots() {
    const sent: string[][] = [];
    const ends: (() => void)[] = [];
    const sender: FetchSender = {
      sendRoot({ onDone }) {
        ends.push(onDone);
        return () => {};
      },
      sendEntities({ calls, onDone }) {
        if (calls[0]?.shape.subgraph !== 'stock') onDone();
        else
          sent.push(
            calls.flatMap(({ representations }) => representations.map((text) => JSON.parse(text).id)),
          );
        return () => {};
      },
    };
    return { sender, sent, endRoots: () => ends.map((end) => end()) };
  }

  /** Waits until the promises that are settled now have been handled, in the same turn of the event loop. */
  const waitForPromises = (): Promise<void> =>
    new Promise((resolve) => process.nextTick(() => process.nextTick(resolve)));

  test('is sent with the one that the other fetch leads to, if that one is ready in the same turn', async () => {
    expect(await sendBeside(entityStep(), true)).toEqual([['1', '2']]);
  });

  test('waits no longer than the other fetch, although that leads to nothing', async () => {
    const { sender, sent, endRoots } = senderWithOpenRoots();
    const scheduler = new FetchScheduler(sender, createRequestContext());
    scheduler.sendTogether(() =>
      scheduler.load(
        createFetchCall([], { shape: rootShape, step: createScheduledStep({}, [entityStep()]) }),
        () => {},
      ),
    );
    scheduler.load(createFetchCall(['1']), () => {});
    await waitForPromises();
    expect(sent).toEqual([]);
    endRoots();
    await waitForPromises();
    expect(sent).toEqual([['1']]);
  });

  test('is sent with one that a result leads to that is available at once', async () => {
    const { sender, sent, endRoots } = senderWithOpenRoots();
    const scheduler = new FetchScheduler(sender, createRequestContext());
    scheduler.sendTogether(() =>
      scheduler.load(
        createFetchCall([], { shape: rootShape, step: createScheduledStep({}, [entityStep()]) }),
        () => {},
      ),
    );
    scheduler.load(createFetchCall(['1']), () => {});
    const cached = createFetchCall(['cached'], {
      shape: shapeOf(entityFetch('price', { serviceName: 'prices' })),
    });
    scheduler.load(cached, () => scheduler.load(createFetchCall(['2']), () => {}));
    await waitForTurns();
    expect(sent).toEqual([['1', '2']]);
    endRoots();
    await waitForTurns();
    expect(sent).toEqual([['1', '2']]);
  });

  test('waits no longer than until the end of the turn', async () => {
    expect(await sendBeside(entityStep(), false)).toEqual([['1'], ['2']]);
  });

  test.each([
    ['another subgraph', entityStep({ serviceName: 'prices' })],
    ['another delivery group', entityStep({ group: 1 })],
  ])('does not wait for a fetch of %s', async (_, next) => {
    expect(await sendBeside(next, true)).toEqual([['1'], ['2']]);
  });
});

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

test('fetches that are sent together have the same order, whichever was ready first', async () => {
  const calls = ['stock', 'price'].map((field, index) =>
    createFetchCall([field], { shape: shapeOf(entityFetch(field)), step: createScheduledStep({ index }) }),
  );
  const sent: (readonly number[])[] = [];
  for (const order of [calls, calls.toReversed()]) {
    const scheduler = new FetchScheduler(
      {
        ...senderAtHand([]),
        sendEntities(request) {
          sent.push(request.calls.map(({ step }) => step.index));
          return () => {};
        },
      },
      createRequestContext(),
    );
    for (const call of order) scheduler.load(call, () => {});
    await waitForTurns();
  }
  expect(sent).toEqual([
    [0, 1],
    [0, 1],
  ]);
});

test('a root fetch and an entity fetch of one subgraph that are ready at the same moment are two requests', async () => {
  const sent: string[] = [];
  const scheduler = new FetchScheduler(
    {
      sendRoot: () => {
        sent.push('root');
        return () => {};
      },
      sendEntities: ({ calls }) => {
        sent.push(`${calls.length} of entities`);
        return () => {};
      },
    },
    createRequestContext(),
  );
  const shape = shapeOf(rootFetch('top { id }', { serviceName: 'stock' }));
  scheduler.load(createFetchCall([], { shape }), () => {});
  scheduler.load(createFetchCall(['1']), () => {});
  await waitForTurns();
  expect(sent).toEqual(['root', '1 of entities']);
});

describe('fetches that are loaded together', () => {
  const shape = shapeOf(rootFetch('top { id }'));
  const loadRoot = (scheduler: FetchScheduler, onSettled: () => void): void =>
    scheduler.load(createFetchCall([], { shape }), onSettled);

  test('are sent before the end of the call, equal ones once', async () => {
    const settled: string[] = [];
    const scheduler = new FetchScheduler(senderAtHand([]), createRequestContext());
    scheduler.sendTogether(() => {
      loadRoot(scheduler, () => settled.push('first'));
      loadRoot(scheduler, () => settled.push('equal'));
      expect(settled).toEqual([]);
    });
    expect(settled).toEqual(['first']);
    await waitForTurns();
    expect(settled).toEqual(['first', 'equal']);
  });

  test('are sent although loading another one fails', () => {
    const settled: string[] = [];
    const scheduler = new FetchScheduler(senderAtHand([]), createRequestContext());
    const load = (): never => {
      loadRoot(scheduler, () => settled.push('first'));
      throw new Error('failed');
    };
    expect(() => scheduler.sendTogether(load)).toThrow('failed');
    expect(settled).toEqual(['first']);
  });
});

test('the time of fetching is from the first fetch that was sent to the last one that has ended', async () => {
  const now = jest.spyOn(performance, 'now').mockReturnValue(1_000);
  const ends: (() => void)[] = [];
  const sender: FetchSender = {
    ...senderAtHand([]),
    sendEntities({ onDone }) {
      ends.push(onDone);
      return () => {};
    },
  };
  const scheduler = new FetchScheduler(sender, createRequestContext());
  expect(scheduler.fetchingMs).toBe(0);
  scheduler.sendTogether(() => scheduler.load(createFetchCall(['1']), () => {}));
  now.mockReturnValue(1_010);
  ends[0]?.();
  expect(scheduler.fetchingMs).toBe(10);
  scheduler.sendTogether(() => scheduler.load(createFetchCall(['2']), () => {}));
  now.mockReturnValue(1_030);
  scheduler.cancel();
  expect(scheduler.fetchingMs).toBe(30);
  now.mockRestore();
});
