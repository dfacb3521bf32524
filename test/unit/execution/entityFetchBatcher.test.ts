import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import { GatewayError } from '../../../gateway/errors.ts';
import type { FetchCall } from '../../../gateway/execution/fetchCall.ts';
import { FetchShapeRegistry } from '../../../gateway/execution/fetchShape.ts';
import type { RequestContext } from '../../../gateway/execution/requestContext.ts';
import {
  RespondPolicies,
  ResponseHeaderCollector,
  type ResponseHeaderMap,
} from '../../../gateway/execution/responseHeaderCollector.ts';
import { RaisablePriority } from '../../../gateway/subgraphs/policies/callPriority.ts';
import { createFetchCall, createRequestContext, entityFetch, shapeOf } from '../../harness/fetchNodes.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';
import { WeakList } from '../../harness/weakList.ts';
import { answered, send, started, typed } from './batcherFixture.ts';

describe('entity fetches of several clients in one event loop turn', () => {
  test('are sent as one call when shapes and headers are equal, and each client gets its own entities', async () => {
    const { client, requests } = started();
    const one = createFetchCall(['1', '2']);
    const other = createFetchCall(['3', '2']);
    const sent = [send(requests, one), send(requests, other)];
    await waitForTurns(2);
    expect(client.calls.map(({ body }) => body.variables)).toEqual([
      { representations: [typed('1'), typed('2'), typed('3')] },
    ]);
    await client.answer(
      0,
      {
        data: { _entities: [{ stock: 1 }, { stock: 2 }, null] },
        errors: [
          { message: 'three', path: ['_entities', 2, 'stock'] },
          { message: 'two', path: ['_entities', 1, 'stock'] },
        ],
      },
      2,
    );
    const two = (entityIndex: number): unknown => ({
      entry: { message: 'two', path: ['_entities', 1, 'stock'] },
      entityIndex,
      path: ['stock'],
    });
    expect(one.results).toEqual([answered([{ stock: 1 }, { stock: 2 }], [two(1)])]);
    expect(other.results).toEqual([
      answered(
        [null, { stock: 2 }],
        [
          { entry: { message: 'three', path: ['_entities', 2, 'stock'] }, entityIndex: 0, path: ['stock'] },
          two(1),
        ],
      ),
    ]);
    expect(sent.map(({ isDone }) => isDone)).toEqual([true, true]);
  });

  test('fail with an error when an entity of both is nested too deep to be copied', async () => {
    const { client, requests } = started();
    const calls = [createFetchCall(['1']), createFetchCall(['1'])];
    const sent = calls.map((call) => send(requests, call));
    await waitForTurns(2);
    const deep = JSON.parse('['.repeat(10_000) + ']'.repeat(10_000));
    await client.answer(0, { data: { _entities: [{ stock: deep }] } }, 2);
    const failed = { kind: 'failed', error: expect.objectContaining({ code: 'SUBGRAPH_INVALID_RESPONSE' }) };
    expect(calls.map(({ results }) => results)).toEqual([[failed], [failed]]);
    expect(sent.map(({ isDone }) => isDone)).toEqual([true, true]);
  });

  test('are not kept in memory after their response', async () => {
    const executions = new WeakList();
    const { client, requests } = started();
    const fetchOnce = async (): Promise<void> => {
      send(requests, Object.assign(createFetchCall(['1']), { execution: executions.add({}) }));
      await waitForTurns(2);
      client.calls.pop()?.answer({ data: { _entities: [{ stock: 1 }] } });
      await waitForTurns(2);
    };
    await fetchOnce();
    expect(await executions.countRemaining()).toBe(0);
    // The batcher itself is still in use.
    await fetchOnce();
  });

  test('get an error that failed the whole subgraph at their own entities, or of the whole fetch', async () => {
    const { client, requests } = started();
    const one = createFetchCall(['1']);
    const other = createFetchCall(['3', '2']);
    for (const call of [one, other]) send(requests, call);
    await waitForTurns(2);
    const two = { message: 'two', path: ['_entities', 2] };
    await client.answer(0, { data: null, errors: [two], failureStatus: 500 }, 2);
    expect(one.results).toEqual([answered(undefined, [{ entry: two, entityIndex: undefined, path: [] }])]);
    expect(other.results).toEqual([answered(undefined, [{ entry: two, entityIndex: 1, path: [] }])]);
    expect(client.calls).toHaveLength(1);
  });

  test.each([
    ['too few', [{ stock: 1 }], [{ message: 'two', path: ['_entities', 1] }]],
    ['too many', [{ stock: 1 }, { stock: 2 }, { stock: 3 }], undefined],
  ])('fail when the subgraph returns %s', async (_, entities, errors) => {
    const { client, requests } = started();
    const calls = [createFetchCall(['1']), createFetchCall(['2'])];
    for (const call of calls) send(requests, call);
    await waitForTurns(2);
    await client.answer(0, { data: { _entities: entities }, errors }, 2);
    const failed = { kind: 'failed', error: expect.objectContaining({ code: 'SUBGRAPH_INVALID_RESPONSE' }) };
    expect(calls.map(({ results }) => results)).toEqual([[failed], [failed]]);
  });

  test('get separate objects, which other requests do not modify', async () => {
    const { client, requests } = started();
    const one = createFetchCall(['1'], {
      settle: (result, done) => {
        if (result.kind === 'completed') (result.data as { nested: { more?: number } }[])[0]!.nested.more = 1;
        done();
      },
    });
    const other = createFetchCall(['1']);
    send(requests, one);
    send(requests, other);
    await waitForTurns(2);
    client.calls[0]?.answer({ data: { _entities: [{ nested: { n: 1 } }] } });
    expect(other.results).toEqual([answered([{ nested: { n: 1 } }])]);
  });

  test('get the headers of the response for their clients', async () => {
    const { client, requests } = started();
    const policies = RespondPolicies.of(
      parseConfig({
        supergraph: { file: 'a' },
        subgraphs: { all: { headers: { respond: ['x-region'] } } },
      }),
    ) as RespondPolicies;
    const targets: ResponseHeaderMap[] = [new Map(), new Map()];
    for (const target of targets) {
      const responseHeaderCollector = new ResponseHeaderCollector(policies, target);
      send(
        requests,
        createFetchCall(['1'], { requestContext: createRequestContext({ responseHeaderCollector }) }),
      );
    }
    await waitForTurns(2);
    expect(client.calls).toHaveLength(1);
    client.calls[0]?.answer({ data: { _entities: [{ stock: 1 }] }, clientHeaders: ['x-region', 'eu'] });
    expect(targets).toEqual(Array(2).fill(new Map([['x-region', 'eu']])));
  });

  test.each([
    ['headers', { requestContext: createRequestContext({ key: 'another' }) }],
    ['fields', { shape: shapeOf(entityFetch('price')) }],
    ['context', { contextVariables: { ctx: 1 } }],
    [
      'values of variables',
      {
        shape: shapeOf(entityFetch('stock', { variableUsages: ['v'] })),
        requestContext: createRequestContext({ variables: { v: 1 } }),
      },
    ],
  ])('are sent as separate calls when their %s differ', async (_, options) => {
    const { client, requests } = started();
    send(requests, createFetchCall(['1']));
    send(requests, createFetchCall(['1'], options));
    await waitForTurns(2);
    expect(client.calls).toHaveLength(2);
  });

  test('are never batched across two supergraphs', async () => {
    const { client, requests } = started();
    // Fresh registries give numbers from their own start, as those of two supergraphs would.
    const [older, newer] = [new FetchShapeRegistry(), new FetchShapeRegistry()];
    send(requests, createFetchCall(['1'], { shape: older.intern(entityFetch('stock')) }));
    send(requests, createFetchCall(['1'], { shape: newer.intern(entityFetch('price')) }));
    await waitForTurns(2);
    expect(client.calls.map(({ body }) => /Product\{(\w+)/.exec(body.query)?.[1])).toEqual([
      'stock',
      'price',
    ]);
  });

  test('are split at the maximum batch size, but never within one client request', async () => {
    const { client, requests } = started({ maxBatchSize: 3 });
    for (const ids of [['1', '2'], ['3'], ['4', '5', '6', '7'], ['8']]) send(requests, createFetchCall(ids));
    await waitForTurns(2);
    expect(client.calls.map(({ body }) => body.variables.representations)).toEqual([
      ['1', '2', '3'].map(typed),
      ['4', '5', '6', '7'].map(typed),
      [typed('8')],
    ]);
  });

  test('are smaller after one that exceeded the attempt timeout', async () => {
    const { client, requests } = started({ maxBatchSize: 40 });
    const ids = Array.from({ length: 40 }, (_, n) => [String(n)]);
    for (const own of ids) send(requests, createFetchCall(own));
    await waitForTurns(2);
    client.calls[0]?.receiver.onError(new GatewayError('SUBGRAPH_TIMEOUT', 'late'));
    for (const own of ids) send(requests, createFetchCall(own));
    await waitForTurns(2);
    expect(client.calls.map(({ body }) => (body.variables.representations as unknown[]).length)).toEqual([
      40, 20, 20,
    ]);
  });

  test('are sent as separate calls with acrossRequests: false', async () => {
    const { client, requests } = started({ acrossRequests: false });
    send(requests, createFetchCall(['1']));
    send(requests, createFetchCall(['1']));
    await waitForTurns(2);
    expect(client.calls).toHaveLength(2);
  });
});

describe('a fault while a call is created', () => {
  test.each([true, false])(
    'fails its fetches, and no others (acrossRequests: %s)',
    async (acrossRequests) => {
      const { client, requests } = started({ acrossRequests });
      const fault = new RangeError('Invalid string length');
      jest.spyOn(client, 'send').mockImplementationOnce(() => {
        throw fault;
      });
      const failing = createFetchCall(['1']);
      const sent = [
        send(requests, failing),
        send(requests, createFetchCall(['1'], { shape: shapeOf(entityFetch('price')) })),
      ];
      await waitForTurns(2);
      const error = expect.objectContaining({ code: 'INTERNAL_SERVER_ERROR', cause: fault });
      expect(failing.results).toEqual([{ kind: 'failed', error }]);
      expect([client.calls.length, ...sent.map(({ isDone }) => isDone)]).toEqual([1, true, false]);
    },
  );
});

describe('a client that disconnects', () => {
  test('removes its entities from a call that is not sent yet', async () => {
    const { client, requests } = started();
    const gone = createFetchCall(['1']);
    send(requests, gone).cancel();
    send(requests, createFetchCall(['2']));
    await waitForTurns(2);
    expect(client.calls.map(({ body }) => body.variables)).toEqual([{ representations: [typed('2')] }]);
    expect(gone.results).toEqual([]);
  });

  test('leaves a shared call running; the last client to disconnect cancels it', async () => {
    const { client, requests } = started();
    const first = send(requests, createFetchCall(['1']));
    const second = send(requests, createFetchCall(['1']));
    await waitForTurns(2);
    first.cancel();
    first.cancel();
    expect(client.calls.map(({ isCancelled }) => isCancelled)).toEqual([false]);
    second.cancel();
    expect(client.calls.map(({ isCancelled }) => isCancelled)).toEqual([true]);
  });

  test('is omitted when a batch is sent again as separate calls', async () => {
    const { client, requests } = started();
    const both = (): FetchCall[] => [
      createFetchCall(['1']),
      createFetchCall(['1'], { shape: shapeOf(entityFetch('price')) }),
    ];
    const gone = send(requests, ...both());
    send(requests, ...both());
    await waitForTurns(2);
    gone.cancel();
    await client.answer(0, { data: null, errors: [{ message: 'all of it' }] }, 2);
    expect(client.calls).toHaveLength(3);
  });
});

describe('deadlines of batched requests', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  test('apply to each client of a shared call', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    const start = performance.now();
    const { client, requests } = started();
    const early = createFetchCall(['1'], {
      requestContext: createRequestContext({ deadlineFor: () => start + 100 }),
    });
    const late = createFetchCall(['1'], {
      requestContext: createRequestContext({ deadlineFor: () => start + 500 }),
    });
    const next = createFetchCall(['1'], {
      requestContext: createRequestContext({ deadlineFor: () => start + 200 }),
    });
    const gone = createFetchCall(['1'], { requestContext: early.requestContext });
    const sent = send(requests, early);
    send(requests, next);
    const left = send(requests, gone);
    send(requests, late);
    await waitForTurns(2);
    expect(client.calls[0]?.request.deadline).toBe(start + 500);
    left.cancel();
    jest.advanceTimersByTime(99);
    expect(early.results).toEqual([]);
    jest.advanceTimersByTime(1);
    expect([gone.results, left.isDone]).toEqual([[], false]);
    expect(early.results).toEqual([
      { kind: 'failed', error: expect.objectContaining({ code: 'DEADLINE_EXCEEDED' }) },
    ]);
    expect(sent.isDone).toBe(true);
    jest.advanceTimersByTime(100);
    expect(next.results).toHaveLength(1);
    client.calls[0]?.answer({ data: { _entities: [{ stock: 1 }] } });
    expect(late.results).toEqual([answered([{ stock: 1 }])]);
    expect(early.results).toHaveLength(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('leave no timer behind when all clients have disconnected', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    const start = performance.now();
    const { requests } = started();
    const sent = [100, 500].map((ms) =>
      send(
        requests,
        createFetchCall(['1'], { requestContext: createRequestContext({ deadlineFor: () => start + ms }) }),
      ),
    );
    await waitForTurns(2);
    for (const { cancel } of sent) cancel();
    expect(jest.getTimerCount()).toBe(0);
  });
});

describe('a batch for a subgraph at capacity', () => {
  test('has the priority of its most urgent request', async () => {
    const { client, requests } = started();
    const requestContexts = [
      createRequestContext({
        deadlineFor: () => performance.now() + 20_000,
        preferences: { isAutoDefer: false, priority: 'background' },
      }),
      createRequestContext({
        deadlineFor: () => 7_000_000,
        preferences: { isAutoDefer: false, priority: 'critical' },
      }),
    ];
    const sent = [
      send(
        requests,
        createFetchCall(['1'], {
          requestContext: requestContexts[0] as RequestContext,
          priority: 'critical',
          group: 1,
        }),
      ),
      send(
        requests,
        createFetchCall(['2'], {
          requestContext: requestContexts[1] as RequestContext,
          priority: 'background',
          group: 1,
        }),
      ),
    ];
    await waitForTurns(2);
    expect(client.calls.map(({ request }) => request)).toMatchObject([
      { priority: 'critical', requestPriority: 'critical', isDeferred: true, deadline: 7_000_000 },
    ]);
    expect(client.calls[0]?.request.earliestDeadline).toBeLessThan(7_000_000);
    // Their deadlines are watched until then.
    for (const { cancel } of sent) cancel();
  });

  test('gets more urgent with requests that join before and after it is sent', async () => {
    const { client, requests } = started();
    const raisable = new RaisablePriority('background');
    send(requests, createFetchCall(['1'], { priority: 'background', raisablePriority: raisable }));
    raisable.raise('critical');
    await waitForTurns(2);
    expect(client.calls.map(({ request }) => request)).toMatchObject([
      { priority: 'critical', requestPriority: 'normal', raisablePriorities: [raisable] },
    ]);
  });
});
