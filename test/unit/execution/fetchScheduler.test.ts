import { performance } from 'node:perf_hooks';
import { describe, expect, jest, test } from '@jest/globals';
import { GatewayError } from '../../../gateway/errors.ts';
import {
  type FetchCall,
  type FetchResult,
  toFailedResult,
  toFetchResult,
} from '../../../gateway/execution/fetchCall.ts';
import { FetchScheduler } from '../../../gateway/execution/fetchScheduler.ts';
import type { FetchSender } from '../../../gateway/execution/fetchSender.ts';
import type { ScheduledStep } from '../../../gateway/execution/scheduledStep.ts';
import type { RequestRecord } from '../../../gateway/telemetry/requestRecord.ts';
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
function senderAtHand(cancelled: string[], onSend?: (calls: readonly FetchCall[]) => void): FetchSender {
  const answer = (calls: readonly FetchCall[], done: () => void): (() => void) => {
    onSend?.(calls);
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
  const sender = senderAtHand([], ([call]) => sent.push(call?.group ?? -1));
  const scheduler = new FetchScheduler(sender, createRequestContext());
  await Promise.all(calls.map((call) => new Promise((resolve) => scheduler.load(call, resolve))));
  expect(sent).toEqual([0, 1]);
});

test('entity fetches of one subgraph and delivery group are sent together, and each of their steps hears of the end', async () => {
  const calls = [0, 0, 1].map((group, index) => ({ ...createFetchCall([`${index}`]), group }));
  const sent: number[] = [];
  const sender = senderAtHand([], ([call]) => sent.push(call?.group ?? -1));
  const scheduler = new FetchScheduler(sender, createRequestContext());
  const settled: number[] = [];
  for (const [index, call] of calls.entries()) scheduler.load(call, () => settled.push(index));
  expect(settled).toEqual([]);
  await waitForTurns();
  expect(settled).toEqual([0, 1, 2]);
  expect(sent).toEqual([0, 1]);
});

describe('entity fetches of one shape at different paths', () => {
  const entry = (message: string) => ({ message });
  const staleness = { ageMs: 1, reason: 'revalidating' } as const;

  /** Sends two of them, for two entities and for one, and settles them with one result. */
  async function settleTogether(
    result: Partial<Extract<FetchResult, { kind: 'completed' }>> | GatewayError,
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

  /** Loads a root fetch that `next` waits for. */
  const loadRoot = (scheduler: FetchScheduler, next: ScheduledStep, onSettled: () => void): void =>
    scheduler.sendTogether(() =>
      scheduler.load(
        createFetchCall([], { shape: rootShape, step: createScheduledStep({}, [next]) }),
        onSettled,
      ),
    );

  /** Loads a root fetch that `next` waits for, and then two entity fetches: one at once, and one when the root fetch has
   *  ended, which `endsInTurn` does in the same turn. Returns the representations of each request. */
  async function sendBeside(
    next: ScheduledStep,
    endsInTurn: boolean,
  ): Promise<readonly (readonly string[])[]> {
    const { sender, sent, endRoots } = senderWithOpenRoots();
    const scheduler = new FetchScheduler(sender, createRequestContext());
    const later = createFetchCall(['2'], { shape: shapeOf(entityFetch('price')) });
    loadRoot(scheduler, next, () => scheduler.load(later, () => {}));
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
    loadRoot(scheduler, entityStep(), () => {});
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
    loadRoot(scheduler, entityStep(), () => {});
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
