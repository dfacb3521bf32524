/** Both subgraphs. Tells its parent their addresses, then publishes events when it is told to, and answers with the
 *  times. */
import { setTimeout as elapse } from 'node:timers/promises';
import { parse } from 'graphql';
import { Redis } from 'ioredis';
import { startSubgraph } from '../../subgraphs/shared/startSubgraph.ts';
import { createTopic } from '../../subgraphs/shared/topic.ts';
import { eventOf, nameOf, type ShopSubgraph, streamKey, subgraphSdl } from './shop.ts';

export type ShopUrls = Readonly<Record<ShopSubgraph, string>>;

export interface PublishJob {
  /** Number of the first event; those of the others follow. */
  readonly first: number;
  readonly count: number;
  readonly perSecond: number;
  /** Events go to the stream of this Redis instead of the subgraph's own subscribers. */
  readonly redisUrl?: string;
}

export interface PublishReply {
  /** When each was published, in milliseconds since the epoch. */
  readonly publishedAt: readonly number[];
}

type Event = ReturnType<typeof eventOf>;

const topic = createTopic<Event>();
const stock = await startSubgraph(
  {
    name: 'stock',
    defaultPort: 0,
    typeDefs: parse(subgraphSdl.stock),
    resolvers: {
      Subscription: {
        stockChanged: {
          subscribe: (_root, _args, { signal }) => topic.subscribe(signal, () => true),
          resolve: (event: Event) => event,
        },
      },
    },
    createStore: () => undefined,
  },
  { keepRequests: 1 },
);
const products = await startSubgraph(
  {
    name: 'products',
    defaultPort: 0,
    typeDefs: parse(subgraphSdl.products),
    resolvers: {
      Product: {
        __resolveReference: ({ id }: { id: string }) => ({ __typename: 'Product', id, name: nameOf(id) }),
      },
    },
    createStore: () => undefined,
  },
  { keepRequests: 1 },
);

let redis: Redis | undefined;

async function publish({ first, count, perSecond, redisUrl }: PublishJob): Promise<PublishReply> {
  if (redisUrl !== undefined) redis ??= new Redis(redisUrl);
  const publishedAt: number[] = [];
  const startedAt = performance.now();
  for (let index = 0; index < count; index++) {
    // From the start, so that late timers do not add up.
    const waitMs = startedAt + (index * 1000) / perSecond - performance.now();
    if (waitMs > 0) await elapse(waitMs);
    const event = eventOf(first + index);
    publishedAt.push(performance.timeOrigin + performance.now());
    if (redisUrl === undefined) topic.publish(event);
    else await redis?.xadd(streamKey, '*', 'event', JSON.stringify(event));
  }
  return { publishedAt };
}

process.on('message', async (job: PublishJob) => process.send?.(await publish(job)));
process.send?.({ stock: stock.url, products: products.url } satisfies ShopUrls);
