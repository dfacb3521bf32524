import { buildSubgraphSchema } from '@apollo/subgraph';
import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { type GraphQLSchema, parse } from 'graphql';
import { GatewayError } from '../../../gateway/errors.ts';
import type { RequestContext } from '../../../gateway/execution/requestContext.ts';
import { Authorizer } from '../../../gateway/operation/authorization/authorizer.ts';
import type { Planner } from '../../../gateway/planning/planner.ts';
import type { SubscriptionOutcome } from '../../../gateway/response/executionOutcome.ts';
import { noForwardedHeaders } from '../../../gateway/subgraphs/forwardedHeaders.ts';
import type {
  SourceEvent,
  SourceReceiver,
} from '../../../gateway/subscriptions/sources/subscriptionSource.ts';
import { StreamLimiter, type StreamLimiterOptions } from '../../../gateway/subscriptions/streamLimiter.ts';
import {
  SubscriptionManager,
  type SubscriptionManagerOptions,
} from '../../../gateway/subscriptions/subscriptionManager.ts';
import type { Supergraph } from '../../../gateway/supergraph/supergraph.ts';
import { FakeSource } from '../../harness/fakeSource.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { loadSupergraphInProcess } from '../../harness/loadSupergraphInProcess.ts';
import { createLocalPipeline } from '../../harness/localPipeline.ts';
import { composeOnce } from '../../harness/shared/compositions.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

const federation = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])';
const stock = `${federation}
  type Query { ping: Int }
  type Subscription { stockChanged(warehouse: ID): Product }
  type Product @key(fields: "id") { id: ID! stock: Int! }
`;
const products = `${federation}
  type Query { product(id: ID!): Product }
  type Product @key(fields: "id") { id: ID! name: String }
`;

const composed = await composeOnce([
  { name: 'stock', url: 'http://stock.test', sdl: stock },
  { name: 'products', url: 'http://products.test', sdl: products },
]);
if ('errors' in composed) throw new Error(JSON.stringify(composed.errors));
const supergraph = await loadSupergraphInProcess(composed.sdl);
afterAll(() => supergraph.planner.close());

/** The resolvers of names wait until the test releases them. */
const names = { gate: Promise.resolve() };
const subgraphs = new Map<string, GraphQLSchema>([
  [
    'products',
    buildSubgraphSchema({
      typeDefs: parse(products),
      resolvers: {
        Product: {
          __resolveReference: async ({ id }: { id: string }) => {
            await names.gate;
            if (id === 'lost') throw new Error('no such product');
            return { id, name: `name of ${id}` };
          },
        },
      },
    }),
  ],
]);

const queue = { maxEvents: 3, maxBytes: 100_000, policy: 'close' } as const;

function start(
  options: Partial<SubscriptionManagerOptions> = {},
  limits: Partial<StreamLimiterOptions> = {},
  createHeaders?: () => RequestContext['headersFor'],
) {
  const source = new FakeSource();
  const timers = new FakeTimers();
  const openStreams = new StreamLimiter({ total: 10, perClient: 10, ...limits });
  const subscriptions = new SubscriptionManager({
    source,
    queue,
    reportsInterruptions: true,
    toClientError: (error) => error,
    toClientInterruption: (error) => error,
    retryDelays: { minDelay: 100, maxDelay: 1_000 },
    onResubscribeFailed: () => {},
    onInternalError: (cause) => {
      throw cause;
    },
    openStream: (_, weight) => openStreams.open('any', weight),
    connectionParamsFor: () => ({}),
    idleTimeoutMs: 0,
    timers,
    ...options,
  });
  const authorizer = new Authorizer({ onDenied: 'filter', deciders: [] });
  const pipeline = createLocalPipeline({
    ...supergraph,
    subgraphs,
    subscriptions,
    authorizer,
    ...(createHeaders && { createHeaders }),
  });
  return {
    source,
    timers,
    subscriptions,
    calls: pipeline.calls,
    replan: (next: Supergraph) => {
      authorizer.readSupergraph({ supergraph: next, document: parse(next.sdl) })?.attach(next);
      return pipeline.replanSubscriptions(next);
    },
    async subscribe(...operation: Parameters<typeof pipeline.respond>) {
      const outcome = await pipeline.respond(...operation);
      const iterator = (outcome as SubscriptionOutcome).events[Symbol.asyncIterator]();
      return {
        next: async (): Promise<unknown> => {
          const { done, value } = await iterator.next();
          return done === true ? 'done' : JSON.parse(value.text);
        },
        nextCursor: async () => (await iterator.next()).value.cursor,
        leave: async () => iterator.return?.(),
      };
    },
  };
}

type Started = ReturnType<typeof start>;

/** By what they are composed of. */
const loaded = new Map<string, Promise<Supergraph>>();
afterAll(async () => {
  for (const supergraph of loaded.values()) await (await supergraph).planner.close();
});

async function load(sdls: Readonly<Record<string, string>>) {
  const composed = await composeOnce(
    Object.entries(sdls).map(([name, sdl]) => ({ name, url: `http://${name}.test`, sdl })),
  );
  if ('errors' in composed) throw new Error(JSON.stringify(composed.errors));
  return loadSupergraphInProcess(composed.sdl);
}

/** `failures`: the results of the first planning attempts. */
async function replan(
  sdls: Readonly<Record<string, string>>,
  pipeline: Started,
  failures: GatewayError[] = [],
): Promise<void> {
  const key = JSON.stringify(sdls);
  const loading = loaded.get(key) ?? load(sdls);
  loaded.set(key, loading);
  const next = await loading;
  const { planner } = next;
  const plan: Planner['plan'] = async (request) => {
    const failure = failures.shift();
    if (failure !== undefined) throw failure;
    return planner.plan(request);
  };
  await pipeline.replan({ ...next, planner: { ...planner, plan } });
}

/** The subgraph of the events also has the names. */
const ownNames = {
  stock: stock.replace('stock: Int!', 'stock: Int! name: String'),
  products: products.replace('name: String', 'weight: Int'),
};

const whole = 'subscription Watch($w: ID) { stockChanged(warehouse: $w) { id stock name } }';
const changed = (id: string, amount: number) => ({
  stockChanged: { __typename: 'Product', id, stock: amount },
});
const complete = (id: string, amount: number) => ({
  data: { stockChanged: { id, stock: amount, name: `name of ${id}` } },
});

describe('events', () => {
  test('are completed with fields of other subgraphs', async () => {
    const { source, subscribe } = start();
    const client = await subscribe(whole, { w: 'north' });
    expect(source.at(0).request).toMatchObject({ subgraph: 'stock', variables: { w: 'north' } });
    source.at(0).send(changed('1', 5));
    expect(await client.next()).toEqual(complete('1', 5));
    source.at(0).receiver.onComplete();
    expect(await client.next()).toBe('done');
  });

  test('keep their order when the first one takes longer to complete', async () => {
    const { source, subscribe } = start();
    const client = await subscribe(whole);
    const gate = Promise.withResolvers<void>();
    names.gate = gate.promise;
    source.at(0).send(changed('1', 1));
    await waitForTurns(2);
    names.gate = Promise.resolve();
    source.at(0).send(changed('2', 2));
    gate.resolve();
    expect([await client.next(), await client.next()]).toEqual([complete('1', 1), complete('2', 2)]);
  });

  test('have their own errors and those of the fields that they lack', async () => {
    const { source, subscribe } = start();
    const client = await subscribe(whole);
    source.at(0).send({ stockChanged: null }, [{ message: 'broken', path: ['stockChanged'] }]);
    expect(await client.next()).toMatchObject({
      data: { stockChanged: null },
      errors: [{ path: ['stockChanged'] }],
    });
    source.at(0).send(changed('lost', 3));
    expect(await client.next()).toMatchObject({
      data: { stockChanged: { id: 'lost', stock: 3, name: null } },
      errors: [{ path: ['stockChanged', 'name'] }],
    });
    source.at(0).send(changed('1', 5));
    expect(await client.next()).toEqual(complete('1', 5));
  });

  test('are sent in parts to a client that accepts incremental delivery', async () => {
    const { source, subscribe } = start();
    const query = 'subscription { stockChanged { id stock ... @defer { name } } }';
    const client = await subscribe(query, {}, 'deferSpec=20220824');
    const gate = Promise.withResolvers<void>();
    names.gate = gate.promise;
    source.at(0).send(changed('1', 5));
    expect(await client.next()).toEqual({ data: { stockChanged: { id: '1', stock: 5 } }, hasNext: true });
    gate.resolve();
    expect(await client.next()).toEqual({
      incremental: [{ data: { name: 'name of 1' }, path: ['stockChanged'] }],
      hasNext: false,
    });
    const other = await subscribe(query);
    source.at(1).send(changed('2', 5));
    expect(await other.next()).toEqual(complete('2', 5));
  });
});

describe('equal subscriptions', () => {
  test('have equal connection parameters for the subgraph', async () => {
    const params = [{ tenant: 'a' }, { tenant: 'a' }, { tenant: 'b' }];
    let given = 0;
    const { source, subscribe } = start({ connectionParamsFor: () => params[given] ?? {} });
    for (given = 0; given < params.length; given++) await subscribe(whole);
    expect(source.subscriptions.map(({ request }) => request.connectionParams)).toEqual([
      { tenant: 'a' },
      { tenant: 'b' },
    ]);
  });

  test('share one subscription at the subgraph and its payloads', async () => {
    const { source, subscribe, calls } = start();
    const clients = await Promise.all([subscribe(whole), subscribe(whole), subscribe(whole, { w: 'north' })]);
    expect(source.subscriptions).toHaveLength(2);
    source.at(0).send(changed('1', 5));
    expect([await clients[0].next(), await clients[1].next()]).toEqual([complete('1', 5), complete('1', 5)]);
    expect(calls).toHaveLength(1);
  });

  test('end at the subgraph at once when the last client leaves', async () => {
    const { source, subscribe } = start();
    const [one, other] = await Promise.all([subscribe(whole), subscribe(whole)]);
    await one.leave();
    expect(source.at(0).isCancelled).toBe(false);
    await other.leave();
    expect(source.at(0).isCancelled).toBe(true);
    expect(await other.next()).toBe('done');
    await subscribe(whole);
    expect(source.subscriptions).toHaveLength(2);
  });
});

test.each([
  ['completed', (receiver: SourceReceiver) => receiver.onComplete(), 'done'],
  [
    'ended with an error',
    (receiver: SourceReceiver) => receiver.onError(new GatewayError('SUBGRAPH_ERROR', 'enough')),
    'enough',
  ],
])(
  'a client does not join a subscription that the subgraph has %s, although its last event is being completed',
  async (_, end, expected) => {
    const { source, subscribe } = start();
    const client = await subscribe(whole);
    const gate = Promise.withResolvers<void>();
    names.gate = gate.promise;
    source.at(0).send(changed('1', 1));
    end(source.at(0).receiver);
    const next = await subscribe(whole);
    names.gate = Promise.resolve();
    gate.resolve();
    expect(await client.next()).toEqual(complete('1', 1));
    expect(await client.next().catch((error: Error) => error.message)).toBe(expected);
    source.at(1).send(changed('2', 2));
    expect(await next.next()).toEqual(complete('2', 2));
    // New clients join the later one.
    await subscribe(whole);
    expect(source.subscriptions).toHaveLength(2);
  },
);

describe('events with a cursor', () => {
  const event = (amount: number, more: Partial<SourceEvent> = {}): SourceEvent => ({
    data: changed('1', amount),
    errors: undefined,
    extensions: undefined,
    size: 100,
    cursor: `${amount}-0`,
    ...more,
  });
  const withCursor = (amount: number) => ({
    ...complete('1', amount),
    extensions: { tributary: { cursor: `${amount}-0` } },
  });

  test('have the cursor in their payload, also when they fail', async () => {
    const { source, subscribe } = start();
    const client = await subscribe(whole);
    source.at(0).receiver.onEvent(event(1));
    expect(await client.next()).toEqual(withCursor(1));
    const completionFor = () => {
      throw new GatewayError('OVERLOADED', 'no room');
    };
    source.at(0).receiver.onEvent(event(2));
    source.at(0).receiver.onEvent(event(3, { completionFor }));
    expect(await client.nextCursor()).toBe('2-0');
    expect(await client.next()).toMatchObject({
      errors: [{ message: 'no room' }],
      extensions: { tributary: { cursor: '3-0' } },
    });
  });

  test('that fail because of a defect are reported with the request id, and do not end the subscription', async () => {
    const faults: unknown[] = [];
    const { source, subscribe } = start({
      onInternalError: (cause, requestId) => faults.push([cause, requestId]),
    });
    const client = await subscribe(whole);
    const defect = new TypeError('a defect');
    const completionFor = () => {
      throw defect;
    };
    source.at(0).receiver.onEvent(event(1, { completionFor }));
    source.at(0).receiver.onEvent(event(2));
    expect(await client.next()).toMatchObject({
      data: null,
      errors: [{ message: 'Internal server error', extensions: { code: 'INTERNAL_SERVER_ERROR' } }],
    });
    expect(await client.next()).toEqual(withCursor(2));
    expect(faults).toEqual([[defect, 'local']]);
  });

  test('have the cursor in the last of several payloads', async () => {
    const { source, subscribe } = start();
    const query = 'subscription { stockChanged { id stock ... @defer { name } } }';
    for (const format of ['deferSpec=20220824', 'incrementalSpec=v0.2'] as const) {
      const client = await subscribe(query, {}, format);
      const gate = Promise.withResolvers<void>();
      names.gate = gate.promise;
      source.subscriptions.at(-1)?.receiver.onEvent(event(1));
      const first = await client.next();
      gate.resolve();
      const last = await client.next();
      expect(first).not.toHaveProperty('extensions');
      expect(last).toMatchObject({ hasNext: false, extensions: { tributary: { cursor: '1-0' } } });
    }
  });

  test('are sent no faster than clients read when the source waits for onConsumed', async () => {
    const { source, subscribe } = start();
    const client = await subscribe(whole);
    const taken: number[] = [];
    source.at(0).receiver.onEvent(event(1, { onConsumed: () => taken.push(1) }));
    await waitForTurns(5);
    expect(taken).toEqual([]);
    expect(await client.next()).toEqual(withCursor(1));
    await waitForTurns();
    expect(taken).toEqual([1]);
    source.at(0).receiver.onEvent(event(2, { onConsumed: () => taken.push(2) }));
    await waitForTurns(5);
    await client.leave();
    await waitForTurns();
    expect(taken).toEqual([1]);
  });

  test('are replaced by an error at their position when they are missing', async () => {
    const { source, subscribe } = start();
    const client = await subscribe(whole);
    const failure = new GatewayError('OVERLOADED', 'some are gone');
    source.at(0).receiver.onEvent(event(1));
    source.at(0).receiver.onEvent(event(2, { failure }));
    expect(await client.next()).toEqual(withCursor(1));
    expect(await client.next()).toEqual({ errors: [failure.toFormatted()] });
  });

  test('are shared by caught-up subscriptions once both are idle', async () => {
    const { source, subscribe, calls } = start();
    const resume = (cursor: string) => subscribe(whole, {}, undefined, cursor);
    const [one, other] = [await resume('5-0'), await resume('4-0')];
    source.at(0).receiver.onCaughtUp?.();
    await waitForTurns();
    const gate = Promise.withResolvers<void>();
    names.gate = gate.promise;
    source.at(1).receiver.onEvent(event(1));
    source.at(1).receiver.onCaughtUp?.();
    await waitForTurns(2);
    source.at(0).receiver.onEvent(event(1));
    expect(source.at(1).isCancelled).toBe(false);
    gate.resolve();
    expect([await one.next(), await other.next()]).toEqual([withCursor(1), withCursor(1)]);
    await waitForTurns();
    expect(source.at(1).isCancelled).toBe(true);
    const before = calls.length;
    source.at(0).receiver.onEvent(event(2));
    expect([await one.next(), await other.next()]).toEqual([withCursor(2), withCursor(2)]);
    expect(calls).toHaveLength(before + 1);
    await one.leave();
    expect(source.at(0).isCancelled).toBe(false);
    await other.leave();
    expect(source.at(0).isCancelled).toBe(true);
  });

  test('are not lost when the equal subscription is idle and this one is not', async () => {
    const { source, subscribe } = start();
    const resume = (cursor: string) => subscribe(whole, {}, undefined, cursor);
    const [one, other] = [await resume('5-0'), await resume('4-0')];
    source.at(0).receiver.onCaughtUp?.();
    const gate = Promise.withResolvers<void>();
    names.gate = gate.promise;
    source.at(1).receiver.onEvent(event(1));
    source.at(1).receiver.onCaughtUp?.();
    await waitForTurns(2);
    names.gate = Promise.resolve();
    source.at(0).receiver.onEvent(event(1));
    expect(await one.next()).toEqual(withCursor(1));
    await waitForTurns(2);
    gate.resolve();
    expect(await other.next()).toEqual(withCursor(1));
  });

  /** A client that reads nothing until the source is paused, with the payloads that it received. */
  async function fallBehind({ source, subscribe }: Started, query: string) {
    source.isStream = true;
    const client = await subscribe(query);
    let sent = 0;
    while (!source.at(0).isPaused) {
      sent += 1;
      source.at(0).receiver.onEvent(event(sent));
      await waitForTurns(5);
    }
    return { client, sent };
  }
  const query = 'subscription { stockChanged { stock } }';
  const waiting = { queue: { ...queue, policy: 'wait' } } as const;

  test('are not shared with a subscription that is behind, even while it is idle', async () => {
    const started = start(waiting);
    const { source, subscribe } = started;
    const { client: slow, sent } = await fallBehind(started, query);
    const ahead = await subscribe(query, {}, undefined, `${sent}-0`);
    source.at(1).receiver.onEvent(event(sent + 1, { onConsumed: () => {} }));
    source.at(1).receiver.onCaughtUp?.();
    expect(await ahead.nextCursor()).toBe(`${sent + 1}-0`);
    for (let amount = 1; amount <= sent; amount++) expect(await slow.nextCursor()).toBe(`${amount}-0`);
    await waitForTurns(5);
    // The missed events are being fetched, and nothing waits to be sent.
    expect([source.at(0).isPaused, source.at(1).isCancelled]).toEqual([false, false]);
    source.at(0).receiver.onEvent(event(sent + 1, { onConsumed: () => {} }));
    expect(await slow.nextCursor()).toBe(`${sent + 1}-0`);
    await waitForTurns(5);
    expect(source.at(1).isCancelled).toBe(false);
    source.at(0).receiver.onCaughtUp?.();
    await waitForTurns(5);
    expect(source.at(1).isCancelled).toBe(true);
    source.at(0).receiver.onEvent(event(sent + 2));
    expect([await slow.nextCursor(), await ahead.nextCursor()]).toEqual([`${sent + 2}-0`, `${sent + 2}-0`]);
  });

  test.each([
    ['while they wait in the stream', false],
    ['while the stream is asked for them', true],
  ])('are resumed after the last cursor when subscribing again, %s', async (_, isResumed) => {
    const started = start(waiting);
    const { source } = started;
    const named = 'subscription { stockChanged { stock name } }';
    const { client, sent } = await fallBehind(started, named);
    if (isResumed) for (let amount = 1; amount <= sent; amount++) await client.nextCursor();
    await waitForTurns(5);
    expect(source.at(0).isPaused).toBe(!isResumed);
    await replan(ownNames, started);
    expect(source.at(0).isCancelled).toBe(true);
    expect(source.at(1).request).toMatchObject({
      query: expect.stringContaining('name'),
      resumeAfter: `${sent}-0`,
    });
    source.at(1).receiver.onCaughtUp?.();
    await replan({ stock, products }, started);
    expect(source.at(2).request.resumeAfter).toBeUndefined();
  });

  const replayed = (amount: number, taken: number[] = []) =>
    event(amount, { onConsumed: () => taken.push(amount) });

  test('are replayed once to the clients that resume after the same event, until the first one arrives', async () => {
    const { source, subscribe, calls } = start();
    const resume = (cursor: string) => subscribe(whole, {}, undefined, cursor);
    const clients = [await resume('5-0'), await resume('5-0')];
    const other = await resume('4-0');
    source.at(0).receiver.onEvent(replayed(6));
    await resume('5-0');
    expect(source.subscriptions.map(({ request }) => request.resumeAfter)).toEqual(['5-0', '4-0', '5-0']);
    for (const client of clients) expect(await client.next()).toEqual(withCursor(6));
    expect(calls).toHaveLength(1);
    source.at(1).receiver.onEvent(replayed(5));
    expect(await other.next()).toEqual(withCursor(5));
  });

  test('are shared by a client that begins after a replay without events', async () => {
    const { source, subscribe } = start();
    await subscribe(whole, {}, undefined, '5-0');
    source.at(0).receiver.onCaughtUp?.();
    await subscribe(whole);
    await subscribe(whole, {}, undefined, '5-0');
    expect(source.subscriptions).toHaveLength(2);
  });

  test('are replayed as fast as the fastest client reads, and separately to one that reads much slower', async () => {
    const { source, subscribe } = start({ queue: { ...queue, maxEvents: 2 } });
    const resume = () => subscribe(whole, {}, undefined, '5-0');
    const [fast, slow] = [await resume(), await resume()];
    const taken: number[] = [];
    for (const amount of [6, 7]) {
      source.at(0).receiver.onEvent(replayed(amount, taken));
      expect(await fast.next()).toEqual(withCursor(amount));
      await waitForTurns(5);
    }
    expect(taken).toEqual([6, 7]);
    expect(source.at(1).request.resumeAfter).toBe('7-0');
    source.at(0).receiver.onEvent(replayed(8, taken));
    source.at(1).receiver.onEvent(replayed(8));
    expect(await fast.next()).toEqual(withCursor(8));
    for (const amount of [6, 7, 8]) expect(await slow.next()).toEqual(withCursor(amount));
    for (const place of [0, 1]) source.at(place).receiver.onCaughtUp?.();
    await waitForTurns(5);
    expect(source.at(1).isCancelled).toBe(true);
    source.at(0).receiver.onEvent(event(9));
    expect([await fast.next(), await slow.next()]).toEqual([withCursor(9), withCursor(9)]);
    await fast.leave();
    expect(source.at(0).isCancelled).toBe(false);
    await slow.leave();
    expect(source.at(0).isCancelled).toBe(true);
  });

  test('are replayed to the last of several slow clients when the one that has read everything leaves', async () => {
    const { source, subscribe } = start({ queue: { ...queue, maxEvents: 1 } });
    const resume = () => subscribe(whole, {}, undefined, '5-0');
    const [fast, slow, slower] = [await resume(), await resume(), await resume()];
    const taken: number[] = [];
    source.at(0).receiver.onEvent(replayed(6, taken));
    await waitForTurns(5);
    await fast.leave();
    await waitForTurns(5);
    expect([taken, source.subscriptions.length]).toEqual([[6], 2]);
    for (const client of [slow, slower]) {
      expect(await client.next()).toEqual(withCursor(6));
      await client.leave();
    }
    expect([source.at(0).isCancelled, source.at(1).isCancelled]).toEqual([true, true]);
  });

  test('are replayed as fast as the slowest client reads when `whenFull` is `wait`', async () => {
    const { source, subscribe } = start({ queue: { ...queue, maxEvents: 1, policy: 'wait' } });
    const resume = () => subscribe(whole, {}, undefined, '5-0');
    const [fast, slow] = [await resume(), await resume()];
    const taken: number[] = [];
    source.at(0).receiver.onEvent(replayed(6, taken));
    expect(await fast.next()).toEqual(withCursor(6));
    await waitForTurns(5);
    expect(taken).toEqual([]);
    expect(await slow.next()).toEqual(withCursor(6));
    await waitForTurns(5);
    expect([taken, source.subscriptions.length]).toEqual([[6], 1]);
  });

  test('end for a slow client of a replay that cannot be continued separately', async () => {
    let isOver = false;
    const { source, subscribe } = start({
      queue: { ...queue, maxEvents: 1 },
      connectionParamsFor: () => {
        if (isOver) throw new GatewayError('EXTENSION_FAILED', 'no parameters');
        return {};
      },
    });
    const resume = () => subscribe(whole, {}, undefined, '5-0');
    const [fast, slow] = [await resume(), await resume()];
    source.at(0).receiver.onEvent(replayed(6));
    isOver = true;
    expect(await fast.next()).toEqual(withCursor(6));
    await waitForTurns(5);
    expect(await slow.next()).toEqual(withCursor(6));
    await expect(slow.next()).rejects.toThrow('no parameters');
    expect(source.at(0).isCancelled).toBe(false);
  });
});

describe('a new supergraph', () => {
  test('does not end subscriptions that are valid with it', async () => {
    const started = start();
    const client = await started.subscribe(whole);
    await replan({ stock, products: products.replace('name: String', 'name: String weight: Int') }, started);
    expect(started.source.subscriptions).toHaveLength(1);
    started.source.at(0).send(changed('1', 5));
    expect(await client.next()).toEqual(complete('1', 5));
  });

  test('subscribes again when the text for the subgraph changes', async () => {
    const started = start();
    const client = await started.subscribe(whole);
    await replan(ownNames, started);
    expect(started.source.at(1).request.query).toContain('name');
    started.source.at(1).send(own(5));
    expect(await client.next()).toMatchObject({ errors: [{ extensions: { code: 'EVENTS_MISSED' } }] });
    expect(await client.next()).toEqual(ownComplete(5));
    expect(started.source.at(0).isCancelled).toBe(true);
  });

  const own = (amount: number) => ({ stockChanged: { id: '1', stock: amount, name: 'own' } });
  const ownComplete = (amount: number) => ({ data: own(amount) });

  test('loses no event while subscribing again: the old subscription continues until the first event of the new one', async () => {
    const started = start({ reportsInterruptions: false });
    const { source } = started;
    const client = await started.subscribe(whole);
    source.at(0).send(changed('1', 1));
    await replan(ownNames, started);
    expect(source.at(0).isCancelled).toBe(false);
    source.at(0).send(changed('1', 2));
    source.at(1).send(own(3));
    expect(source.at(0).isCancelled).toBe(true);
    source.at(1).send(own(4));
    // Events of the old subscription are completed with the old plan.
    expect([await client.next(), await client.next()]).toEqual([complete('1', 1), complete('1', 2)]);
    expect([await client.next(), await client.next()]).toEqual([ownComplete(3), ownComplete(4)]);
    await client.leave();
    expect(source.at(1).isCancelled).toBe(true);
  });

  test('reports no interruption of the new subscription as long as the old one continues', async () => {
    const started = start();
    const { source } = started;
    const client = await started.subscribe(whole);
    await replan(ownNames, started);
    const { receiver } = source.at(1);
    receiver.onInterrupted(new GatewayError('SUBGRAPH_UNREACHABLE', 'lost'));
    receiver.onResubscribed?.();
    source.at(0).send(changed('1', 1));
    expect(await client.next()).toEqual(complete('1', 1));
  });

  test('continues with the new subscription when the old one ends first', async () => {
    const started = start();
    const { source } = started;
    const client = await started.subscribe(whole);
    await replan(ownNames, started);
    source.at(0).receiver.onError(new GatewayError('SUBGRAPH_ERROR', 'not any more'));
    expect(await client.next()).toMatchObject({ errors: [{ extensions: { code: 'EVENTS_MISSED' } }] });
    source.at(1).send(own(1));
    expect(await client.next()).toEqual(ownComplete(1));
    source.at(1).receiver.onComplete();
    expect(await client.next()).toBe('done');
  });

  test('ends a subscription that the subgraph refuses when subscribing again', async () => {
    const started = start();
    const client = await started.subscribe(whole);
    await replan(ownNames, started);
    started.source.at(1).receiver.onError(new GatewayError('SUBGRAPH_ERROR', 'no name here'));
    await expect(client.next()).rejects.toThrow('no name here');
    expect(started.source.at(0).isCancelled).toBe(true);
  });

  const unavailable = new GatewayError('SUBGRAPH_UNREACHABLE', 'A subgraph is not available.');

  test('keeps the old subscription while the subgraph is unavailable for the new one, and tries again', async () => {
    const reported: GatewayError[] = [];
    const started = start({ onResubscribeFailed: (error) => reported.push(error) });
    const { source, timers } = started;
    const client = await started.subscribe(whole);
    await replan(ownNames, started);
    source.at(1).receiver.onError(unavailable);
    source.at(0).send(changed('1', 1));
    expect(await client.next()).toEqual(complete('1', 1));
    timers.advance(100);
    source.at(2).receiver.onError(unavailable);
    timers.advance(200);
    source.at(3).send(own(2));
    expect(await client.next()).toMatchObject({ errors: [{ extensions: { code: 'EVENTS_MISSED' } }] });
    expect(await client.next()).toEqual(ownComplete(2));
    expect(source.at(0).isCancelled).toBe(true);
    expect(reported).toEqual([unavailable, unavailable]);
  });

  test('continues with the next attempt at the new subscription when the old one has ended', async () => {
    const started = start();
    const { source, timers } = started;
    const client = await started.subscribe(whole);
    await replan(ownNames, started);
    source.at(1).receiver.onError(unavailable);
    source.at(0).receiver.onComplete();
    expect(await client.next()).toMatchObject({ errors: [{ extensions: { code: 'EVENTS_MISSED' } }] });
    timers.advance(100);
    source.at(2).send(own(1));
    expect(await client.next()).toEqual(ownComplete(1));
    source.at(2).receiver.onError(unavailable);
    await expect(client.next()).rejects.toThrow('A subgraph is not available.');
  });

  test('makes no attempt at a subscription that a later supergraph replaces, or whose clients have left', async () => {
    const started = start();
    const { source, timers } = started;
    const client = await started.subscribe(whole);
    await replan(ownNames, started);
    source.at(1).receiver.onError(unavailable);
    await replan({ stock, products }, started);
    expect(timers.pendingCount).toBe(0);
    source.at(2).receiver.onError(unavailable);
    expect(timers.pendingCount).toBe(1);
    await client.leave();
    expect(timers.pendingCount).toBe(0);
    expect(source.subscriptions).toHaveLength(3);
  });

  test('leaves at most two upstream subscriptions, however many supergraphs arrive', async () => {
    const started = start({ reportsInterruptions: false });
    const { source } = started;
    const client = await started.subscribe(whole);
    await replan(ownNames, started);
    await replan({ stock, products }, started);
    expect(source.subscriptions.map(({ isCancelled }) => isCancelled)).toEqual([false, true, false]);
    source.at(2).send(changed('1', 1));
    expect(await client.next()).toEqual(complete('1', 1));
    expect(source.subscriptions.map(({ isCancelled }) => isCancelled)).toEqual([true, true, false]);
  });

  test('pauses both upstream subscriptions when whenFull is "wait"', async () => {
    const started = start({ queue: { ...queue, policy: 'wait' }, reportsInterruptions: false });
    const { source } = started;
    const client = await started.subscribe(whole);
    await replan(ownNames, started);
    names.gate = Promise.withResolvers<void>().promise;
    for (let amount = 1; amount <= 4; amount++) source.at(0).send(changed('1', amount));
    names.gate = Promise.resolve();
    expect([source.at(0).isPaused, source.at(1).isPaused]).toEqual([true, true]);
    await client.leave();
    expect([source.at(0).isCancelled, source.at(1).isCancelled]).toEqual([true, true]);
  });

  const busy = new GatewayError('OVERLOADED', 'too many operations');
  const failed = new GatewayError('PLANNING_FAILED', 'the planner was lost');

  test('keeps a subscription that cannot be planned temporarily, and plans it later', async () => {
    const started = start();
    const { source, timers } = started;
    const client = await started.subscribe(whole);
    const failures = [busy, failed, busy];
    await replan(ownNames, started, failures);
    source.at(0).send(changed('1', 1));
    expect(await client.next()).toEqual(complete('1', 1));
    for (const { length } of [failures, failures]) {
      expect([source.subscriptions.length, length, timers.pendingCount]).toEqual([1, failures.length, 1]);
      timers.advance(10_000);
      await waitForTurns(50);
    }
    expect(failures).toEqual([]);
    expect(source.subscriptions).toHaveLength(1);
    timers.advance(10_000);
    while (source.subscriptions.length === 1) await waitForTurns();
    expect(source.at(1).request.query).toContain('name');
    expect(timers.pendingCount).toBe(0);
    await client.leave();
  });

  test.each(['PLANNING_FAILED', 'EXTENSION_FAILED'] as const)(
    'ends a subscription that still cannot be planned after several attempts: %s',
    async (code) => {
      const started = start();
      const client = await started.subscribe(whole);
      // Those that an overload has prevented are not counted.
      const failures = [busy, busy, ...Array.from({ length: 5 }, () => new GatewayError(code, 'not now'))];
      await replan(ownNames, started, failures);
      for (let attempt = 1; attempt < 7; attempt++) {
        expect(started.timers.pendingCount).toBe(1);
        started.timers.advance(10_000);
        await waitForTurns(50);
      }
      await expect(client.next()).rejects.toMatchObject({ code: 'SUPERGRAPH_CHANGED' });
      expect([failures, started.timers.pendingCount]).toEqual([[], 0]);
    },
  );

  test('ends a subscription that is too complex at once', async () => {
    const started = start();
    const client = await started.subscribe(whole);
    await replan(ownNames, started, [new GatewayError('OPERATION_TOO_COMPLEX', 'far too much')]);
    await expect(client.next()).rejects.toMatchObject({ code: 'SUPERGRAPH_CHANGED' });
    expect(started.timers.pendingCount).toBe(0);
  });

  test('subscribes again once for each subscription prepared before it, however many arrive at a time', async () => {
    const started = start({ reportsInterruptions: false });
    await replan(ownNames, started);
    // The test's pipeline still prepares operations for the previous supergraph.
    const selections = ['name', 'id name', 'id stock name'];
    const clients = await Promise.all(
      selections.map((selection) => started.subscribe(`subscription { stockChanged { ${selection} } }`)),
    );
    const { subscriptions } = started.source;
    while (subscriptions.length < 6) await waitForTurns();
    await waitForTurns(50);
    expect(subscriptions.map(({ isCancelled }) => isCancelled)).toEqual(Array(6).fill(false));
    await Promise.all(clients.map((client) => client.leave()));
  });

  test('replans a subscription that was prepared before it and starts after it', async () => {
    const started = start();
    const first = await started.subscribe(whole);
    await replan({ stock, products: products.replace('name: String', 'title: String') }, started);
    await expect(first.next()).rejects.toMatchObject({ code: 'SUPERGRAPH_CHANGED' });
    // The test's pipeline still prepares operations for the previous supergraph.
    const later = await started.subscribe(whole);
    await expect(later.next()).rejects.toMatchObject({ code: 'SUPERGRAPH_CHANGED' });
  });

  test('ends subscriptions that are not valid with it', async () => {
    const started = start();
    const [client, other] = await Promise.all([
      started.subscribe(whole),
      started.subscribe('subscription { stockChanged { stock } }'),
    ]);
    await replan({ stock, products: products.replace('name: String', 'title: String') }, started);
    await expect(client.next()).rejects.toMatchObject({ code: 'SUPERGRAPH_CHANGED' });
    started.source.at(1).send(changed('1', 5));
    expect(await other.next()).toEqual({ data: { stockChanged: { stock: 5 } } });
  });

  /** Another subgraph has the names, and subscriptions have no argument. */
  const movedNames = {
    stock: stock.replace('(warehouse: ID)', ''),
    products: products.replace('name: String', 'weight: Int'),
    names: `${federation} type Product @key(fields: "id") { id: ID! name: String }`,
  };

  test.each([
    ['live', undefined],
    ['behind', '5-0'],
  ])(
    'ends a subscription that has no headers for a subgraph of its new plan, and replans the others: one that is %s',
    async (_, resumeAfter) => {
      const started = start({}, {}, () => (subgraph) => {
        if (subgraph === 'names') throw new GatewayError('EXTENSION_FAILED', 'no headers');
        return noForwardedHeaders;
      });
      const named = await started.subscribe(
        'subscription { stockChanged { name } }',
        {},
        undefined,
        resumeAfter,
      );
      const other = await started.subscribe('subscription { stockChanged(warehouse: "north") { stock } }');
      await replan(movedNames, started);
      await expect(named.next()).rejects.toThrow('no headers');
      await expect(other.next()).rejects.toMatchObject({ code: 'SUPERGRAPH_CHANGED' });
      expect(started.source.subscriptions.map(({ isCancelled }) => isCancelled)).toEqual([true, true]);
    },
  );

  test('ends a subscription for the clients that share it and have other headers for a subgraph of its new plan', async () => {
    let tenant = 'a';
    const started = start({}, {}, () => {
      const own = { key: tenant, pairs: ['x-tenant', tenant] };
      return (subgraph) => {
        if (subgraph !== 'names') return noForwardedHeaders;
        if (own.key === 'refused') throw new GatewayError('EXTENSION_FAILED', 'no headers');
        return own;
      };
    });
    const subscribeAs = (name: string) => {
      tenant = name;
      return started.subscribe('subscription { stockChanged { stock name } }');
    };
    const [first, equal] = [await subscribeAs('a'), await subscribeAs('a')];
    const different = [await subscribeAs('b'), await subscribeAs('refused')];
    await replan(movedNames, started);
    for (const client of different)
      await expect(client.next()).rejects.toMatchObject({ code: 'SUPERGRAPH_CHANGED' });
    started.source.at(0).receiver.onComplete();
    expect([await first.next(), await equal.next()]).toEqual(['done', 'done']);
  });

  describe('that protects fields', () => {
    const protectedNames = {
      stock,
      products: products
        .replace('["@key"]', '["@key", "@authenticated"]')
        .replace('name: String', 'name: String @authenticated'),
    };

    test('decides what the client of a subscription may read', async () => {
      const started = start();
      const client = await started.subscribe(whole);
      await replan(protectedNames, started);
      started.source.at(0).send(changed('1', 5));
      expect(await client.next()).toMatchObject({
        data: { stockChanged: { stock: 5, name: null } },
        errors: [{ extensions: { code: 'UNAUTHENTICATED' } }],
      });
    });

    test('ends a subscription for all clients that share it except the first one, also when that one has left', async () => {
      const started = start();
      const names = 'subscription { stockChanged { name } }';
      const [first, second, third, fourth] = [
        await started.subscribe(whole),
        await started.subscribe(whole),
        await started.subscribe(names),
        await started.subscribe(names),
      ];
      await third.leave();
      await replan(protectedNames, started);
      for (const client of [second, fourth])
        await expect(client.next()).rejects.toMatchObject({ code: 'SUPERGRAPH_CHANGED' });
      started.source.at(0).send(changed('1', 5));
      expect(await first.next()).toMatchObject({ data: { stockChanged: { stock: 5, name: null } } });
      expect(started.source.at(1).isCancelled).toBe(true);
    });

    test('does not end a subscription that clients share if its fields are not among them', async () => {
      const started = start();
      const query = 'subscription { stockChanged { stock } }';
      const clients = [await started.subscribe(query), await started.subscribe(query)];
      await replan(protectedNames, started);
      started.source.at(0).send(changed('1', 5));
      for (const client of clients)
        expect(await client.next()).toEqual({ data: { stockChanged: { stock: 5 } } });
    });
  });

  test('ends subscriptions when it has no subscription type', async () => {
    const started = start();
    const client = await started.subscribe('subscription { stockChanged { id } }');
    await replan({ stock: stock.replace(/type Subscription .*/, ''), products }, started);
    await expect(client.next()).rejects.toMatchObject({ code: 'SUPERGRAPH_CHANGED' });
    expect(started.timers.pendingCount).toBe(0);
  });
});

describe('idle timeout', () => {
  const query = 'subscription { stockChanged { stock } }';

  test('ends a subscription without events for idleTimeout with SUBSCRIPTION_IDLE', async () => {
    const { source, timers, subscribe } = start({ idleTimeoutMs: 1000 });
    const first = await subscribe(query);
    timers.advance(600);
    const second = await subscribe(query);
    timers.advance(400);
    await expect(first.next()).rejects.toMatchObject({ code: 'SUBSCRIPTION_IDLE' });
    expect(source.at(0).isCancelled).toBe(false);
    timers.advance(600);
    await expect(second.next()).rejects.toThrow('1000 ms');
    expect([source.at(0).isCancelled, timers.pendingCount]).toEqual([true, 0]);
  });

  test('restarts with each event', async () => {
    const { source, timers, subscribe } = start({ idleTimeoutMs: 1000 });
    const client = await subscribe(query);
    for (let amount = 0; amount < 3; amount++) {
      timers.advance(999);
      source.at(0).send(changed('1', amount));
      expect(await client.next()).toEqual({ data: { stockChanged: { stock: amount } } });
    }
    await client.leave();
    expect(timers.pendingCount).toBe(0);
  });

  test('is off when idleTimeout is 0', async () => {
    const { timers, subscribe } = start();
    await subscribe(query);
    expect(timers.pendingCount).toBe(0);
  });
});

describe('failures and limits', () => {
  test('a refusal of the subgraph is the error of the subscription', async () => {
    const { source, subscribe } = start();
    const client = await subscribe(whole);
    source.at(0).receiver.onError(new GatewayError('SUBGRAPH_ERROR', 'refused'));
    await expect(client.next()).rejects.toThrow('refused');
  });

  test('an interruption and its end are reported only with reportsInterruptions', async () => {
    const reporting = start();
    const client = await reporting.subscribe(whole);
    reporting.source.at(0).receiver.onInterrupted(new GatewayError('SUBGRAPH_UNREACHABLE', 'lost'));
    expect(await client.next()).toMatchObject({ errors: [{ extensions: { code: 'SUBGRAPH_UNREACHABLE' } }] });
    reporting.source.at(0).receiver.onResubscribed?.();
    expect(await client.next()).toMatchObject({ errors: [{ extensions: { code: 'EVENTS_MISSED' } }] });
    const silent = start({ reportsInterruptions: false });
    const other = await silent.subscribe(whole);
    silent.source.at(0).receiver.onInterrupted(new GatewayError('SUBGRAPH_UNREACHABLE', 'lost'));
    silent.source.at(0).receiver.onResubscribed?.();
    silent.source.at(0).send(changed('1', 5));
    expect(await other.next()).toEqual(complete('1', 5));
  });

  test('a client that reads after the end of an interruption gets only the error for its end', async () => {
    const { source, subscribe } = start();
    const client = await subscribe(whole);
    source.at(0).receiver.onInterrupted(new GatewayError('SUBGRAPH_UNREACHABLE', 'lost'));
    await waitForTurns(2);
    source.at(0).receiver.onResubscribed?.();
    source.at(0).send(changed('1', 1));
    expect(await client.next()).toMatchObject({ errors: [{ extensions: { code: 'EVENTS_MISSED' } }] });
    expect(await client.next()).toEqual(complete('1', 1));
  });

  test('an interruption is reported between events, never within one', async () => {
    const { source, subscribe } = start();
    const deferred = 'subscription { stockChanged { stock ... @defer { name } } }';
    const client = await subscribe(deferred, {}, 'deferSpec=20220824');
    const gate = Promise.withResolvers<void>();
    names.gate = gate.promise;
    source.at(0).send(changed('1', 1));
    source.at(0).send(changed('2', 2));
    await waitForTurns(5);
    source.at(0).receiver.onInterrupted(new GatewayError('SUBGRAPH_UNREACHABLE', 'lost'));
    source.at(0).send(changed('3', 3));
    gate.resolve();
    const seen: unknown[] = [];
    for (let index = 0; index < 7; index++) seen.push(await client.next());
    const parts = (amount: number) => [
      { data: { stockChanged: { stock: amount } }, hasNext: true },
      { incremental: [expect.objectContaining({ data: { name: `name of ${amount}` } })], hasNext: false },
    ];
    expect(seen).toEqual([
      ...parts(1),
      ...parts(2),
      { errors: [expect.objectContaining({ message: 'lost' })] },
      ...parts(3),
    ]);
  });

  test('a source that throws leaves no resources', async () => {
    const { source, subscribe, subscriptions } = start({}, { total: 1 });
    const broken = jest.spyOn(source, 'subscribe').mockImplementationOnce(() => {
      throw new Error('broken');
    });
    await expect(subscribe(whole)).rejects.toThrow('broken');
    broken.mockRestore();
    const client = await subscribe(whole);
    source.at(0).send(changed('1', 1));
    expect(await client.next()).toEqual(complete('1', 1));
    await subscriptions.close();
  });

  test('events beyond the queue limit end the subscription with the policy "close"', async () => {
    const { source, subscribe } = start();
    const client = await subscribe(whole);
    names.gate = Promise.withResolvers<void>().promise;
    for (let amount = 0; amount < 6; amount++) source.at(0).send(changed('1', amount));
    names.gate = Promise.resolve();
    await expect(client.next()).rejects.toMatchObject({ code: 'OVERLOADED' });
    expect(source.at(0).isCancelled).toBe(true);
  });

  const dropping = { queue: { ...queue, policy: 'drop-oldest' } } as const;
  const missed = { errors: [expect.objectContaining({ extensions: { code: 'EVENTS_MISSED' } })] };

  test('the oldest events are dropped and reported once with the policy "drop-oldest"', async () => {
    const { source, subscribe, subscriptions } = start(dropping);
    const client = await subscribe('subscription { stockChanged { stock } }');
    for (let amount = 0; amount < 6; amount++) source.at(0).send(changed('1', amount));
    await waitForTurns(5);
    const seen: unknown[] = [];
    for (let index = 0; index < 4; index++) seen.push(await client.next());
    expect(seen).toEqual([missed, ...[3, 4, 5].map((stock) => ({ data: { stockChanged: { stock } } }))]);
    // Two were dropped before completion, and one in the client's queue.
    expect(subscriptions.droppedEventCount).toBe(3);
  });

  test('the oldest events are dropped silently without reportsInterruptions', async () => {
    const { source, subscribe } = start({ ...dropping, reportsInterruptions: false });
    const client = await subscribe('subscription { stockChanged { stock } }');
    for (let amount = 0; amount < 6; amount++) source.at(0).send(changed('1', amount));
    await waitForTurns(5);
    const seen: unknown[] = [];
    for (let index = 0; index < 3; index++) seen.push(await client.next());
    expect(seen).toEqual([3, 4, 5].map((stock) => ({ data: { stockChanged: { stock } } })));
  });

  test.each(['deferSpec=20220824', 'incrementalSpec=v0.2'] as const)(
    'of what comes in parts, whole events are dropped and none that was begun (%s)',
    async (format) => {
      const { source, subscribe } = start(dropping);
      const query = 'subscription { stockChanged { stock ... @defer { name } } }';
      const client = await subscribe(query, {}, format);
      const send = async (amount: number) => {
        source.at(0).send(changed(String(amount), amount));
        await waitForTurns(5);
      };
      await send(0);
      const seen = [await client.next()];
      for (let amount = 1; amount < 7; amount++) await send(amount);
      for (let index = 0; index < 8; index++) seen.push(await client.next());
      const parts = (amount: number) => [
        expect.objectContaining({ data: { stockChanged: { stock: amount } }, hasNext: true }),
        expect.objectContaining({
          incremental: [expect.objectContaining({ data: { name: `name of ${amount}` } })],
          hasNext: false,
        }),
      ];
      expect(seen).toEqual([...parts(0), missed, ...[4, 5, 6].flatMap(parts)]);
    },
  );

  test('an interruption is never dropped, and covers events that were dropped next to it', async () => {
    const { source, subscribe } = start(dropping);
    const client = await subscribe('subscription { stockChanged { stock } }');
    const send = async (amount: number) => {
      source.at(0).send(changed('1', amount));
      await waitForTurns(5);
    };
    await send(0);
    source.at(0).receiver.onInterrupted(new GatewayError('SUBGRAPH_UNREACHABLE', 'lost'));
    for (let amount = 1; amount < 6; amount++) await send(amount);
    const seen: unknown[] = [];
    for (let index = 0; index < 4; index++) seen.push(await client.next());
    expect(seen).toEqual([
      { errors: [expect.objectContaining({ message: 'lost' })] },
      ...[3, 4, 5].map((stock) => ({ data: { stockChanged: { stock } } })),
    ]);
  });

  test('the end of an interruption is never dropped with the events before it', async () => {
    const { source, subscribe } = start(dropping);
    const client = await subscribe('subscription { stockChanged { stock } }');
    const send = async (amount: number) => {
      source.at(0).send(changed('1', amount));
      await waitForTurns(5);
    };
    const { receiver } = source.at(0);
    await send(0);
    receiver.onInterrupted(new GatewayError('SUBGRAPH_UNREACHABLE', 'lost'));
    await send(1);
    receiver.onResubscribed?.();
    for (let amount = 2; amount < 5; amount++) await send(amount);
    expect(await client.next()).toMatchObject({ errors: [{ extensions: { code: 'EVENTS_MISSED' } }] });
    expect(await client.next()).toEqual({ data: { stockChanged: { stock: 2 } } });
  });

  test('a client that joins while an event is being sent gets only the next event', async () => {
    const { source, subscribe } = start();
    const query = 'subscription { stockChanged { stock ... @defer { name } } }';
    const first = await subscribe(query, {}, 'deferSpec=20220824');
    const gate = Promise.withResolvers<void>();
    names.gate = gate.promise;
    source.at(0).send(changed('1', 1));
    expect(await first.next()).toMatchObject({ hasNext: true });
    const second = await subscribe(query, {}, 'deferSpec=20220824');
    gate.resolve();
    expect(await first.next()).toMatchObject({ hasNext: false });
    source.at(0).send(changed('2', 2));
    expect(await second.next()).toMatchObject({ data: { stockChanged: { stock: 2 } }, hasNext: true });
  });

  test('the source is paused and no event is lost with the policy "wait"', async () => {
    const { source, subscribe } = start({ queue: { ...queue, policy: 'wait' } });
    const query = 'subscription { stockChanged { stock } }';
    const [slow, fast] = [await subscribe(query), await subscribe(query)];
    const played = source.at(0);
    const seen: unknown[] = [];
    let sent = 0;
    while (!played.isPaused) {
      played.send(changed('1', sent++));
      await waitForTurns(5);
    }
    // Three wait for the slow client, three wait for completion, and one is being completed.
    expect(sent).toBe(7);
    // The event was in flight.
    played.send(changed('1', sent++));
    for (let index = 0; index < 3; index++) await fast.next();
    await waitForTurns(5);
    expect(played.isPaused).toBe(true);
    const remaining = (async () => {
      for (let index = 3; index < sent; index++) await fast.next();
    })();
    while (seen.length < sent) seen.push(await slow.next());
    await remaining;
    expect(seen).toEqual(
      Array.from({ length: sent }, (_, amount) => ({ data: { stockChanged: { stock: amount } } })),
    );
    expect(played.isPaused).toBe(false);
  });

  test('a slow client that leaves no longer delays the others', async () => {
    const { source, subscribe } = start({ queue: { ...queue, policy: 'wait' } });
    const query = 'subscription { stockChanged { stock } }';
    const [slow, fast] = [await subscribe(query), await subscribe(query)];
    for (let amount = 0; amount < 7; amount++) source.at(0).send(changed('1', amount));
    await waitForTurns(5);
    expect(source.at(0).isPaused).toBe(true);
    await slow.leave();
    for (let amount = 0; amount < 7; amount++) {
      expect(await fast.next()).toEqual({ data: { stockChanged: { stock: amount } } });
    }
    expect(source.at(0).isPaused).toBe(false);
  });

  test('a slow client is ended with the policy "wait" when the source cannot be paused', async () => {
    const { source, subscribe } = start({ queue: { ...queue, policy: 'wait' } });
    source.isPausable = false;
    const query = 'subscription { stockChanged { stock } }';
    const [slow, fast] = [await subscribe(query), await subscribe(query)];
    for (let amount = 0; amount < 5; amount++) {
      source.at(0).send(changed('1', amount));
      expect(await fast.next()).toEqual({ data: { stockChanged: { stock: amount } } });
    }
    await expect(slow.next()).rejects.toMatchObject({ code: 'OVERLOADED' });
  });

  test('a subscription counts once more for 20,000 characters of its operation and variables', async () => {
    const { subscribe } = start({}, { perClient: 2 });
    const large = { w: 'n'.repeat(20_000) };
    const client = await subscribe(whole, large);
    await expect(subscribe(whole)).rejects.toMatchObject({ code: 'OVERLOADED' });
    await client.leave();
    await subscribe(whole);
    await expect(subscribe(whole, large)).rejects.toThrow('which counts as 2 of 2');
  });

  test('clients beyond the stream limits are refused', async () => {
    const { subscribe } = start({}, { total: 1 });
    const client = await subscribe(whole);
    await expect(subscribe(whole)).rejects.toMatchObject({ code: 'OVERLOADED' });
    await client.leave();
    await subscribe(whole);
  });

  test('closing the manager ends all subscriptions', async () => {
    const { source, subscriptions, subscribe } = start();
    const client = await subscribe(whole);
    await subscriptions.close();
    await expect(client.next()).rejects.toThrow('shutting down');
    expect(source.isClosed).toBe(true);
    expect(source.at(0).isCancelled).toBe(true);
  });
});
