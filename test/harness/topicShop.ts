import { buildSubgraphSchema } from '@apollo/subgraph';
import { parse } from 'graphql';
import { pino } from 'pino';
import type { ExecutionQueue } from '../../gateway/execution/executionQueue.ts';
import type { SubscriptionOutcome } from '../../gateway/response/executionOutcome.ts';
import type { OverflowPolicy } from '../../gateway/subscriptions/eventQueue.ts';
import { SubscriptionManager } from '../../gateway/subscriptions/subscriptionManager.ts';
import { TopicBus } from '../../gateway/subscriptions/topics/topicBus.ts';
import type { TopicFields } from '../../gateway/subscriptions/topics/topicField.ts';
import { TopicHub } from '../../gateway/subscriptions/topics/topicHub.ts';
import { TopicProblemLog } from '../../gateway/subscriptions/topics/topicProblemLog.ts';
import { TopicSource } from '../../gateway/subscriptions/topics/topicSource.ts';
import { systemTimers } from '../../gateway/time/timers.ts';
import { FakeSource } from './fakeSource.ts';
import { loadSupergraphInProcess } from './loadSupergraphInProcess.ts';
import { createLocalPipeline } from './localPipeline.ts';
import { parseRedisConfig, type TestRedisConfig } from './redisStoreFixture.ts';
import { composeOnce } from './shared/compositions.ts';

const federation =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@external", "@requires", "@shareable"])';

const stock = `${federation}
  type Query { ping: Int }
  type Subscription {
    stockChanged(warehouse: ID, level: Int, sizes: [Int!]): Product
    arrived(at: ID = "north"): Arrival
    lineChanged: Line
    moved: Movable
    priceChanged: Product
  }
  interface Movable { at: String }
  type Product implements Movable @key(fields: "id") @key(fields: "maker { code } number") {
    at: String
    id: ID!
    number: Int
    maker: Maker
    stock: Int
    price(currency: String): Float
    sku: String
    shelves: [Shelf]
    place: Place
    mass: Int! @shareable
    rival: Product
    supplier: String @external
    origin: String @requires(fields: "supplier")
  }
  type Maker @shareable { code: String country: String }
  type Shelf { id: ID label: String }
  interface Place { label: String }
  type Room implements Place { label: String floor: Int }
  type Yard implements Place { label: String area: Int }
  union Arrival = Product | Pallet
  type Pallet implements Movable @key(fields: "id") { id: ID! at: String weight: Int mass: Int }
  type Line { text: String amount: Int }
`;
const products = `${federation}
  type Query { product(id: ID!): Product }
  type Product @key(fields: "id") {
    id: ID!
    sku: String @external
    name: String
    supplier: String
    mass: Int @shareable
    code: String @requires(fields: "sku")
  }
`;

/** A later supergraph moves the names to `stock`, and has trucks. */
const updatedSdls = {
  stock: `${stock.replace('    stock: Int\n', '    stock: Int\n    name: String\n')}
    type Truck implements Movable @key(fields: "id") { id: ID! at: String }
  `,
  products: products.replace('    name: String\n', ''),
};

/** The fields that the subgraph `stock` returns for any product. */
const stockValues = {
  number: 7,
  maker: { code: 'm1', country: 'NL' },
  at: 'shop',
  stock: 100,
  mass: 40,
  name: 'name of the stock',
  price: ({ currency }: { currency?: string }) => (currency === 'EUR' ? 1.5 : 2.5),
  sku: 'sku of the subgraph',
  shelves: [
    { id: 'a', label: 'label of a' },
    { id: 'b', label: 'label of b' },
  ],
  place: { __typename: 'Room', label: 'room 1', floor: 3 },
};

const subgraphs = new Map([
  [
    'stock',
    buildSubgraphSchema({
      typeDefs: parse(updatedSdls.stock),
      resolvers: {
        Product: {
          __resolveReference: ({ id, supplier }: { id?: string; supplier?: string }) => {
            if (id === 'lost') throw new Error('no such product');
            const origin = `origin of ${supplier}`;
            return { __typename: 'Product', ...stockValues, id: id ?? 'found by its maker', origin };
          },
        },
        Pallet: {
          __resolveReference: ({ id }: { id: string }) => ({ id, at: 'yard', weight: 12, mass: 50 }),
        },
      },
    }),
  ],
  [
    'products',
    buildSubgraphSchema({
      typeDefs: parse(products),
      resolvers: {
        Product: {
          __resolveReference: ({ id, sku }: { id: string; sku?: string }) => ({
            id,
            name: `name of ${id}`,
            supplier: `supplier of ${id}`,
            mass: 40,
            code: `code of ${sku}`,
          }),
        },
      },
    }),
  ],
]);

export async function loadTopicShop(sdls = { stock, products }) {
  const composed = await composeOnce(
    Object.entries(sdls).map(([name, sdl]) => ({ name, url: `http://${name}.test`, sdl })),
  );
  if ('errors' in composed) throw new Error(JSON.stringify(composed.errors));
  return loadSupergraphInProcess(composed.sdl);
}

/** The same shop with another plan for operations that select names, and with another type that moves. */
export function loadUpdatedTopicShop() {
  return loadTopicShop(updatedSdls);
}

export type TopicShopSupergraph = Awaited<ReturnType<typeof loadTopicShop>>;

export interface TopicShopOptions {
  readonly fields: TopicFields;
  readonly config?: TestRedisConfig;
  readonly maxEvents?: number;
  readonly whenFull?: OverflowPolicy;
  readonly maxEventBytes?: number;
  readonly now?: () => number;
  readonly executionQueue?: ExecutionQueue;
}

/** The part of a gateway that serves subscriptions, in this process. */
export function openTopicShop(supergraph: TopicShopSupergraph, options: TopicShopOptions) {
  const {
    fields,
    config = parseRedisConfig({}),
    maxEvents = 1000,
    whenFull = 'close',
    maxEventBytes = 10_000,
    now = Date.now,
    executionQueue,
  } = options;
  const lines: Record<string, unknown>[] = [];
  const log = pino({ base: null }, { write: (line: string) => lines.push(JSON.parse(line)) });
  const problems = new TopicProblemLog({ log, now });
  const bus = new TopicBus();
  const hub = new TopicHub({ config, bus, maxEventBytes, problems, timers: systemTimers });
  const next = new FakeSource();
  const subscriptions = new SubscriptionManager({
    source: new TopicSource({ fields, hub, problems, fallback: next }),
    queue: { maxEvents, maxBytes: 100_000_000, policy: whenFull },
    reportsInterruptions: true,
    toClientError: (error) => error,
    toClientInterruption: (error) => error,
    retryLimits: { attempts: 3, connectTimeoutMs: 0, minDelay: 100, maxDelay: 1_000 },
    onResubscribeFailed: () => {},
    onInternalError: (cause) => {
      throw cause;
    },
    openStream: () => () => {},
    connectionParamsFor: () => ({}),
    idleTimeoutMs: 0,
    timers: systemTimers,
  });
  const pipeline = createLocalPipeline({
    ...supergraph,
    subgraphs,
    subscriptions,
    ...(executionQueue && { executionQueue }),
  });
  return {
    bus,
    hub,
    problems,
    /** The lines of the log. */
    lines,
    /** The source of fields without a topic. */
    next,
    calls: pipeline.calls,
    replan: pipeline.replanSubscriptions,
    async subscribe(...operation: Parameters<typeof pipeline.respond>) {
      const outcome = await pipeline.respond(...operation);
      const iterator = (outcome as SubscriptionOutcome).events[Symbol.asyncIterator]();
      return {
        async next(): Promise<TopicPayload> {
          const { done, value } = await iterator.next();
          if (done === true) throw new Error('The subscription is over.');
          return { ...JSON.parse(value.text), cursor: value.cursor };
        },
        leave: async () => iterator.return?.(),
      };
    },
    [Symbol.asyncDispose]: () => subscriptions.close(),
  };
}

export interface TopicPayload {
  readonly data?: Readonly<Record<string, unknown>> | null;
  readonly errors?: readonly Readonly<Record<string, unknown>>[];
  readonly extensions?: Readonly<Record<string, unknown>>;
  readonly cursor: string | undefined;
}
