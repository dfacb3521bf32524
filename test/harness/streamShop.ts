import { afterAll, beforeEach } from '@jest/globals';
import { connectRedis, startDedicatedRedis } from './redis.ts';
import { longRedisTimeouts, parseRedisConfig } from './redisStoreFixture.ts';
import { disposeAfterSuite } from './suiteResources.ts';
import { loadTopicShop, openTopicShop, type TopicPayload, type TopicShopOptions } from './topicShop.ts';
import { waitForTurns } from './waitForTurns.ts';

export const server = disposeAfterSuite(await startDedicatedRedis());
/** Another one after `reconnect`. */
export let redis = connectRedis(server.url);
const supergraph = await loadTopicShop();
afterAll(() => {
  redis.disconnect();
  return supergraph.planner.close();
});

/** Connects again after a restart of the server. */
export function reconnect(): void {
  redis = connectRedis(server.url);
}

// A test begins when the connections of the previous one are closed.
beforeEach(noConnections);

export const query = 'subscription ($w: ID) { stockChanged(warehouse: $w) { stock name } }';

/** One process of the gateway. */
export function open(stream: string, options: Partial<TopicShopOptions> = {}) {
  return openTopicShop(supergraph, {
    fields: { 'Subscription.stockChanged': { stream, filter: { warehouse: 'warehouse' } } },
    config: parseRedisConfig({
      url: server.url,
      timeouts: longRedisTimeouts,
      reconnect: { minDelay: '5ms', maxDelay: '20ms' },
    }),
    ...options,
  });
}

export type Shop = ReturnType<typeof open>;
export type Client = Awaited<ReturnType<Shop['subscribe']>>;

export function add(stream: string, stock: number, more: object = {}, id = '*') {
  const event = { __typename: 'Product', id: '1', stock, ...more };
  return redis.xadd(stream, id, 'event', JSON.stringify(event)) as Promise<string>;
}

export async function addAll(stream: string, from: number, to: number): Promise<string[]> {
  const ids: string[] = [];
  for (let stock = from; stock <= to; stock++) ids.push(await add(stream, stock));
  return ids;
}

/** Adds events with ids of long ago. A reader without an id may read those of the last few milliseconds. */
export async function addOld(stream: string, from: number, to: number): Promise<void> {
  for (let stock = from; stock <= to; stock++) await add(stream, stock, {}, `${stock}-0`);
}

/** Connections to Redis by their last command, without the connection of the test. */
export async function connections(): Promise<readonly string[]> {
  const list = (await redis.call('CLIENT', 'LIST')) as string;
  const lines = list.split('\n').filter((line) => line !== '' && !line.includes('cmd=client'));
  return lines.map((line) => /cmd=(\S+)/.exec(line)?.[1] ?? '');
}

export async function noConnections(): Promise<void> {
  while ((await connections()).length > 0) await waitForTurns();
}

/** Resolves when `count` readers wait for entries. */
export async function reading(count: number): Promise<void> {
  for (;;) {
    const waiting = (await connections()).filter((command) => command === 'xread');
    if (waiting.length === count) return;
    await waitForTurns();
  }
}

export function stockOf({ data }: TopicPayload): unknown {
  const changed = data?.stockChanged as Readonly<Record<string, unknown>> | undefined;
  return changed?.stock;
}

export async function stocks(client: Client, count: number): Promise<unknown[]> {
  const got: unknown[] = [];
  for (let index = 0; index < count; index++) {
    const payload = await client.next();
    got.push(payload.errors?.[0]?.message ?? stockOf(payload));
  }
  return got;
}

export const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

export const codeOf = ({ errors }: TopicPayload) =>
  (errors?.[0]?.extensions as Readonly<Record<string, unknown>> | undefined)?.code;
