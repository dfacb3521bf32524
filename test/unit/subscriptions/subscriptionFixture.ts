import { buildSubgraphSchema } from '@apollo/subgraph';
import { afterAll, expect } from '@jest/globals';
import { type GraphQLSchema, parse } from 'graphql';
import { GatewayError } from '../../../gateway/errors.ts';
import type { RequestContext } from '../../../gateway/execution/requestContext.ts';
import { Authorizer } from '../../../gateway/operation/authorization/authorizer.ts';
import type { Planner } from '../../../gateway/planning/planner.ts';
import type { SubscriptionOutcome } from '../../../gateway/response/executionOutcome.ts';
import { getOrInsertComputed } from '../../../gateway/sharing/getOrInsertComputed.ts';
import type { SourceEvent } from '../../../gateway/subscriptions/sources/subscriptionSource.ts';
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

export const federation =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])';
export const stock = `${federation}
  type Query { ping: Int }
  type Subscription { stockChanged(warehouse: ID): Product }
  type Product @key(fields: "id") { id: ID! stock: Int! }
`;
export const products = `${federation}
  type Query { product(id: ID!): Product }
  type Product @key(fields: "id") { id: ID! name: String }
`;
/** The subgraph of the events also has the names. */
export const ownNames = {
  stock: stock.replace('stock: Int!', 'stock: Int! name: String'),
  products: products.replace('name: String', 'weight: Int'),
};

/** By what they are composed of. */
const loaded = new Map<string, Promise<Supergraph>>();
afterAll(async () => {
  for (const supergraph of loaded.values()) await (await supergraph).planner.close();
});

const loadOnce = (sdls: Readonly<Record<string, string>>): Promise<Supergraph> =>
  getOrInsertComputed(loaded, JSON.stringify(sdls), () => load(sdls));

async function load(sdls: Readonly<Record<string, string>>): Promise<Supergraph> {
  const composed = await composeOnce(
    Object.entries(sdls).map(([name, sdl]) => ({ name, url: `http://${name}.test`, sdl })),
  );
  if ('errors' in composed) throw new Error(JSON.stringify(composed.errors));
  return loadSupergraphInProcess(composed.sdl);
}

const supergraph = await loadOnce({ stock, products });

/** The resolvers of names wait for it. */
export const names = { gate: Promise.resolve() };

/** Names wait until the returned function is called. */
export function holdNames(): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  names.gate = promise;
  return resolve;
}

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

export const queue = { maxEvents: 3, maxBytes: 100_000, policy: 'close' } as const;
export const dropping = { queue: { ...queue, policy: 'drop-oldest' } } as const;
export const waiting = { queue: { ...queue, policy: 'wait' } } as const;

/** The subscriptions of clients to events of the subgraph `stock`, which the test sends. */
export function start(
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
    retryLimits: { attempts: 3, connectTimeoutMs: 0, minDelay: 100, maxDelay: 1_000 },
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
    /** Sends an event, and waits until it was completed. */
    async send(id: string, amount: number): Promise<void> {
      source.at(0).send(changed(id, amount));
      await waitForTurns(5);
    },
    /** `failures`: the results of the first planning attempts. */
    async replan(sdls: Readonly<Record<string, string>>, failures: GatewayError[] = []): Promise<void> {
      const { planner, ...loaded } = await loadOnce(sdls);
      const plan: Planner['plan'] = async (request) => {
        const failure = failures.shift();
        if (failure !== undefined) throw failure;
        return planner.plan(request);
      };
      const next = { ...loaded, planner: { ...planner, plan } };
      authorizer.readSupergraph({ supergraph: next, document: parse(next.sdl) })?.attach(next);
      await pipeline.replanSubscriptions(next);
    },
    subscribe,
    /** Subscribes to `whole` after the event with this cursor. */
    resume: (cursor = '5-0') => subscribe(whole, {}, undefined, cursor),
  };

  async function subscribe(...operation: Parameters<typeof pipeline.respond>) {
    const outcome = await pipeline.respond(...operation);
    const iterator = (outcome as SubscriptionOutcome).events[Symbol.asyncIterator]();
    const next = async (): Promise<unknown> => {
      const { done, value } = await iterator.next();
      return done === true ? 'done' : JSON.parse(value.text);
    };
    return {
      next,
      /** The next payloads. */
      take: async (count: number) => {
        const payloads: unknown[] = [];
        while (payloads.length < count) payloads.push(await next());
        return payloads;
      },
      nextCursor: async () => (await iterator.next()).value.cursor,
      leave: async () => iterator.return?.(),
    };
  }
}

export type Started = ReturnType<typeof start>;

export const whole = 'subscription Watch($w: ID) { stockChanged(warehouse: $w) { id stock name } }';
export const stockOnly = 'subscription { stockChanged { stock } }';
/** An event has two payloads. */
export const inParts = 'subscription { stockChanged { stock ... @defer { name } } }';

/** The data of an event. */
export const changed = (id: string, amount: number) => ({
  stockChanged: { __typename: 'Product', id, stock: amount },
});

/** What clients of `whole` get of it. */
export const complete = (id: string, amount: number) => ({
  data: { stockChanged: { id, stock: amount, name: `name of ${id}` } },
});

/** What clients of `stockOnly` get of it. */
export const stockOf = (amount: number) => ({ data: { stockChanged: { stock: amount } } });

/** What clients of `inParts` get of the event of a product whose id is its amount. */
export const partsOf = (amount: number) => [
  expect.objectContaining({ data: { stockChanged: { stock: amount } }, hasNext: true }),
  expect.objectContaining({
    incremental: [expect.objectContaining({ data: { name: `name of ${amount}` } })],
    hasNext: false,
  }),
];

/** The event of a stream, with the amount in its cursor. */
export const streamed = (amount: number, more: Partial<SourceEvent> = {}): SourceEvent => ({
  data: changed('1', amount),
  errors: undefined,
  extensions: undefined,
  size: 100,
  cursor: `${amount}-0`,
  ...more,
});

/** What clients of `whole` get of it. */
export const withCursor = (amount: number) => ({
  ...complete('1', amount),
  extensions: { tributary: { cursor: `${amount}-0` } },
});

export const lost = new GatewayError('SUBGRAPH_UNREACHABLE', 'lost');

/** The payloads that report an interruption, and missing events. */
export const interrupted = { errors: [expect.objectContaining({ message: 'lost' })] };
export const missed = { errors: [expect.objectContaining({ extensions: { code: 'EVENTS_MISSED' } })] };
