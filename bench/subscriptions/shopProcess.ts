/** Both subgraphs. Reports their URLs to its parent, then publishes events on request and replies with the times. */
import { setTimeout as elapse } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { startEntityServer } from './entityServer.ts';
import { channel, eventOf, nameOf, type ShopSubgraph, type StockedProduct, streamKey } from './shop.ts';
import { startStockSubgraph } from './stockSubgraph.ts';

export type ShopUrls = Readonly<Record<ShopSubgraph, string>>;

/** Where events are published: to the subgraph's own subscribers, or to Redis, as a stream or over Pub/Sub. */
export type EventDestination =
  | { readonly kind: 'subgraph' }
  | { readonly kind: 'stream' | 'channel'; readonly redisUrl: string };

export interface PublishJob {
  /** The number of the first event; the following events have consecutive numbers. */
  readonly first: number;
  readonly count: number;
  readonly perSecond: number;
  readonly to: EventDestination;
}

export interface PublishReply {
  /** When each event was published, in milliseconds since the epoch. */
  readonly publishedAt: readonly number[];
}

const stock = await startStockSubgraph();
const products = await startEntityServer((id) => ({ __typename: 'Product', id, name: nameOf(id) }));

let redis: Redis | undefined;

async function publish({ first, count, perSecond, to }: PublishJob): Promise<PublishReply> {
  const publishedAt: number[] = [];
  const startedAt = performance.now();
  for (let index = 0; index < count; index++) {
    // Measured from the start, so that late timers do not add up.
    const waitMs = startedAt + (index * 1000) / perSecond - performance.now();
    if (waitMs > 0) await elapse(waitMs);
    publishedAt.push(performance.timeOrigin + performance.now());
    await send(eventOf(first + index), to);
  }
  return { publishedAt };
}

async function send(event: StockedProduct, to: EventDestination): Promise<void> {
  if (to.kind === 'subgraph') return stock.publish(event);
  redis ??= new Redis(to.redisUrl);
  const text = JSON.stringify(event);
  if (to.kind === 'stream') await redis.xadd(streamKey, '*', 'event', text);
  else await redis.publish(`${channel.prefix}:${channel.topic}`, text);
}

process.on('message', async (job: PublishJob) => process.send?.(await publish(job)));
process.send?.({ stock: stock.url, products: products.url } satisfies ShopUrls);
