import { randomUUID } from 'node:crypto';
import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { TopicEvent } from '../../gateway/subscriptions/topics/topicEvent.ts';
import { connectRedis, startDedicatedRedis } from '../harness/redis.ts';
import { longRedisTimeouts, parseRedisConfig } from '../harness/redisStoreFixture.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';
import {
  loadTopicShop,
  loadUpdatedTopicShop,
  openTopicShop,
  type TopicPayload,
  type TopicShopOptions,
} from '../harness/topicShop.ts';
import { useUpTurns } from '../harness/useUpTurns.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';

const server = disposeAfterSuite(await startDedicatedRedis());
let redis = connectRedis(server.url);
const supergraph = await loadTopicShop();
afterAll(() => {
  redis.disconnect();
  return supergraph.planner.close();
});

// Closes everything that a test opened.
beforeEach(noConnections);

const query = 'subscription ($w: ID) { stockChanged(warehouse: $w) { stock name } }';

/** One process of the gateway. */
function open(stream: string, options: Partial<TopicShopOptions> = {}) {
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

type Shop = ReturnType<typeof open>;
type Client = Awaited<ReturnType<Shop['subscribe']>>;

function add(stream: string, stock: number, more: object = {}, id = '*') {
  const event = { __typename: 'Product', id: '1', stock, ...more };
  return redis.xadd(stream, id, 'event', JSON.stringify(event)) as Promise<string>;
}

async function addAll(stream: string, from: number, to: number): Promise<string[]> {
  const ids: string[] = [];
  for (let stock = from; stock <= to; stock++) ids.push(await add(stream, stock));
  return ids;
}

/** Adds events with ids of long ago. A reader without an id may read those of the last few milliseconds. */
async function addOld(stream: string, from: number, to: number): Promise<void> {
  for (let stock = from; stock <= to; stock++) await add(stream, stock, {}, `${stock}-0`);
}

/** Connections to Redis by their last command, without the connection of the test. */
async function connections(): Promise<readonly string[]> {
  const list = (await redis.call('CLIENT', 'LIST')) as string;
  const lines = list.split('\n').filter((line) => line !== '' && !line.includes('cmd=client'));
  return lines.map((line) => /cmd=(\S+)/.exec(line)?.[1] ?? '');
}

async function noConnections(): Promise<void> {
  while ((await connections()).length > 0) await waitForTurns();
}

/** Resolves when `count` readers wait for entries. */
async function reading(count: number): Promise<void> {
  for (;;) {
    const waiting = (await connections()).filter((command) => command === 'xread');
    if (waiting.length === count) return;
    await waitForTurns();
  }
}

function stockOf({ data }: TopicPayload): unknown {
  const changed = data?.stockChanged as Readonly<Record<string, unknown>> | undefined;
  return changed?.stock;
}

async function stocks(client: Client, count: number): Promise<unknown[]> {
  const got: unknown[] = [];
  for (let index = 0; index < count; index++) {
    const payload = await client.next();
    got.push(payload.errors?.[0]?.message ?? stockOf(payload));
  }
  return got;
}

const numbers = (from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

const codeOf = ({ errors }: TopicPayload) =>
  (errors?.[0]?.extensions as Readonly<Record<string, unknown>> | undefined)?.code;

describe('events of a stream', () => {
  test('events of a stream reach all clients of all processes, with the cursor of their entries', async () => {
    const stream = randomUUID();
    await addOld(stream, 1, 1);
    await using one = open(stream);
    await using other = open(stream);
    const clients = await Promise.all([one, one, other].map((shop) => shop.subscribe(query)));
    await clients[1]?.leave();
    clients[1] = await one.subscribe('subscription { stockChanged { stock } }');
    await reading(2);
    const [id = ''] = await addAll(stream, 1, 5);
    for (const client of [clients[0], clients[2]]) {
      expect(await client?.next()).toEqual({
        data: { stockChanged: { stock: 1, name: 'name of 1' } },
        extensions: { tributary: { cursor: id } },
        cursor: id,
      });
      expect(await stocks(client as Client, 4)).toEqual(numbers(2, 5));
    }
    expect(await stocks(clients[1], 5)).toEqual(numbers(1, 5));
    await reading(2);
  });

  test('events of a stream that are read together are passed on in several turns of the event loop', async () => {
    const stream = randomUUID();
    await using shop = open(stream);
    const turns: number[] = [];
    let turn = 0;
    let immediate = setImmediate(function count() {
      turn += 1;
      immediate = setImmediate(count);
    });
    const { unsubscribe } = shop.hub.subscribe({ stream, filter: {} }, undefined, {
      onEvent: () => turns.push(turn),
      onReplayedEvent: async () => {},
      onCaughtUp: () => {},
      onGap: () => {},
    });
    await reading(1);
    const clock = useUpTurns();
    const all = redis.multi();
    for (const id of numbers(1, 20)) all.xadd(stream, id, 'event', '{"__typename":"Product","id":"1"}');
    await all.exec();
    while (turns.length < 20) await waitForTurns();
    clock.mockRestore();
    clearImmediate(immediate);
    unsubscribe();
    expect(new Set(turns).size).toBeGreaterThanOrEqual(19);
  });

  test('events of a stream reach only clients whose arguments match', async () => {
    const stream = randomUUID();
    await using shop = open(stream);
    const client = await shop.subscribe(query, { w: 'north' });
    await reading(1);
    await add(stream, 1, { warehouse: 'south' });
    await add(stream, 2, { warehouse: 'north' });
    expect(await stocks(client, 1)).toEqual([2]);
  });

  test('malformed events of a stream are skipped by all processes, and logged once', async () => {
    const stream = randomUUID();
    const clock = { now: 0 };
    await using shop = open(stream, { now: () => clock.now, maxEventBytes: 100 });
    const client = await shop.subscribe(query);
    await reading(1);
    const malformed = [
      '{',
      '[]',
      '{"id":"1"}',
      JSON.stringify({ __typename: 'Product', x: 'x'.repeat(100) }),
    ];
    for (const text of malformed) await redis.xadd(stream, '*', 'event', text);
    await redis.xadd(stream, '*', 'other', '{}');
    await add(stream, 1);
    expect(await stocks(client, 1)).toEqual([1]);
    expect(shop.problems.counts).toEqual(new Map([['malformed event', 5]]));
    clock.now = 60_000;
    await redis.xadd(stream, '*', 'other', '{}');
    await add(stream, 2);
    expect(await stocks(client, 1)).toEqual([2]);
    expect(shop.lines).toMatchObject([
      { problem: 'malformed_event', topic: stream, count: 1 },
      { problem: 'malformed_event', topic: stream, count: 6, message: expect.stringContaining('no field') },
    ]);
  });

  test('events of a stream are not lost when the Redis connection is lost', async () => {
    const stream = randomUUID();
    await using shop = open(stream);
    const client = await shop.subscribe(query);
    await reading(1);
    await add(stream, 1);
    expect(await stocks(client, 1)).toEqual([1]);
    await redis.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await addAll(stream, 2, 4);
    expect(await stocks(client, 3)).toEqual(numbers(2, 4));
  });

  test('events stay in the stream for slow clients when whenFull is "wait"', async () => {
    const stream = randomUUID();
    await using shop = open(stream, { maxEvents: 3, whenFull: 'wait' });
    const client = await shop.subscribe(query);
    await reading(1);
    await addAll(stream, 1, 100);
    expect(await stocks(client, 50)).toEqual(numbers(1, 50));
    await addAll(stream, 101, 200);
    expect(await stocks(client, 150)).toEqual(numbers(51, 200));
    await addAll(stream, 201, 203);
    expect(await stocks(client, 3)).toEqual(numbers(201, 203));
  });

  test('clients get EVENTS_MISSED when the stream has trimmed entries', async () => {
    const stream = randomUUID();
    await using shop = open(stream);
    const client = await shop.subscribe(query);
    await reading(1);
    await add(stream, 1);
    expect(await stocks(client, 1)).toEqual([1]);
    const lost = { __typename: 'Product', id: '1', stock: 2 };
    const all = redis.multi().xadd(stream, '*', 'event', JSON.stringify(lost));
    await all.xtrim(stream, 'MAXLEN', 0).exec();
    await add(stream, 3);
    expect(codeOf(await client.next())).toBe('EVENTS_MISSED');
    expect(await stocks(client, 1)).toEqual([3]);
    expect(shop.problems.counts).toEqual(new Map([['events missed', 1]]));
  });
});

describe('a listener of a stream', () => {
  /** Records the `stock` of each event, and when the listener has caught up. */
  function listen({ hub }: Shop, stream: string, onEvent = (_stock: unknown) => {}, after?: string) {
    const seen: unknown[] = [];
    const record = ({ value: { stock } }: TopicEvent) => {
      seen.push(stock);
      onEvent(stock);
    };
    const subscription = hub.subscribe({ stream, filter: {} }, after, {
      onEvent: record,
      onReplayedEvent: async (event) => record(event),
      onCaughtUp: () => seen.push('caught up'),
      onGap: () => seen.push('gap'),
    });
    const until = async (stock: number) => {
      while (!seen.includes(stock)) await waitForTurns();
    };
    return { ...subscription, seen, until };
  }

  test('gets nothing after it has left while an event was passed on', async () => {
    const stream = randomUUID();
    await using shop = open(stream);
    const leaveAll = () => {
      for (const { unsubscribe } of listeners) unsubscribe();
    };
    const listeners = [listen(shop, stream, leaveAll), listen(shop, stream, leaveAll)];
    const other = listen(shop, stream);
    await reading(1);
    await addAll(stream, 1, 2);
    await other.until(2);
    expect(listeners.flatMap(({ seen }) => seen)).toEqual([1]);
    other.unsubscribe();
  });

  test('gets each event once, however often it is paused and resumed', async () => {
    const stream = randomUUID();
    await using shop = open(stream);
    const listener = listen(shop, stream, () => {
      for (let times = 0; times < 2; times++) listener.flowControl?.pause();
      for (let times = 0; times < 2; times++) listener.flowControl?.resume();
    });
    await reading(1);
    await addAll(stream, 1, 30);
    await listener.until(30);
    expect(listener.seen.filter((entry) => entry !== 'caught up')).toEqual(numbers(1, 30));
    listener.unsubscribe();
  });

  test('gets no further past events after its hub was closed', async () => {
    const stream = randomUUID();
    await using shop = open(stream);
    await addOld(stream, 1, 5);
    const listener = listen(shop, stream, () => shop.hub.close(), '0-0');
    await listener.until(1);
    await waitForTurns(10);
    expect(listener.seen).toEqual([1]);
    await noConnections();
  });

  test('gets nothing when it is resumed after it has left', async () => {
    const stream = randomUUID();
    await using shop = open(stream);
    const [listener, other] = [listen(shop, stream), listen(shop, stream)];
    await reading(1);
    listener.flowControl?.pause();
    listener.unsubscribe();
    listener.flowControl?.resume();
    await addAll(stream, 1, 2);
    await other.until(2);
    expect(listener.seen).toEqual([]);
    other.unsubscribe();
    await noConnections();
  });
});

test('a client that subscribes while Redis is unavailable gets EVENTS_MISSED', async () => {
  const stream = randomUUID();
  await server.kill();
  redis.disconnect();
  await using shop = open(stream);
  const client = await shop.subscribe(query);
  while (!shop.problems.counts.has('unreachable')) await waitForTurns();
  await server.restart();
  redis = connectRedis(server.url);
  expect(codeOf(await client.next())).toBe('EVENTS_MISSED');
  await reading(1);
  const other = await shop.subscribe('subscription { stockChanged { stock } }');
  await add(stream, 1);
  expect(await stocks(client, 1)).toEqual([1]);
  // The event arrived after Redis was available again.
  expect(await stocks(other, 1)).toEqual([1]);
});

describe('a resuming client', () => {
  test('gets all missed events once and in order, then live events', async () => {
    const stream = randomUUID();
    await using shop = open(stream);
    const ids = await addAll(stream, 1, 250);
    const client = await shop.subscribe(query, {}, undefined, ids[9]);
    expect(await stocks(client, 240)).toEqual(numbers(11, 250));
    await addAll(stream, 251, 253);
    expect(await stocks(client, 3)).toEqual(numbers(251, 253));
  });

  test('resumes at another process while events arrive and other clients listen there', async () => {
    const stream = randomUUID();
    await using one = open(stream);
    // Entries are added until the live client has received some.
    await using other = open(stream, { maxEvents: 1_000_000 });
    const [before, listening] = await Promise.all([one.subscribe(query), other.subscribe(query)]);
    await reading(2);
    let isOver = false;
    let last = 0;
    const publishing = (async () => {
      while (!isOver) await add(stream, ++last);
    })();
    const seen: unknown[] = [];
    let cursor: string | undefined;
    const see = async (client: Client, count: number) => {
      for (let index = 0; index < count; index++) {
        const payload = await client.next();
        seen.push(stockOf(payload));
        cursor = payload.cursor;
      }
    };
    await see(before, 50);
    // As with `kill -9`: connections are not closed properly.
    await one[Symbol.asyncDispose]();
    for (let round = 0; round < 3; round++) {
      const client = await other.subscribe(query, {}, undefined, cursor);
      await see(client, 100);
      await client.leave();
    }
    isOver = true;
    await publishing;
    expect(seen).toEqual(numbers(1, 350));
    expect(await stocks(listening, last)).toEqual(numbers(1, last));
  });

  test('gets missed events no faster than it reads them', async () => {
    const stream = randomUUID();
    await using shop = open(stream, { maxEvents: 2 });
    await addAll(stream, 1, 30);
    const client = await shop.subscribe(query, {}, undefined, '0-0');
    await reading(1);
    await waitForTurns(20);
    expect(await stocks(client, 30)).toEqual(numbers(1, 30));
  });

  test('does not wait for an equal one that resumes with it and reads nothing', async () => {
    const stream = randomUUID();
    await using shop = open(stream, { maxEvents: 4 });
    const [first] = await addAll(stream, 1, 30);
    const resume = () => shop.subscribe(query, {}, undefined, first);
    const [one, slow, other] = await Promise.all([resume(), resume(), resume()]);
    for (const missed of await Promise.all([stocks(one, 29), stocks(other, 29)]))
      expect(missed).toEqual(numbers(2, 30));
    expect(await stocks(slow, 29)).toEqual(numbers(2, 30));
    await reading(1);
    await add(stream, 31);
    for (const client of [one, slow, other]) expect(await stocks(client, 1)).toEqual([31]);
  });

  test('gets EVENTS_MISSED first when the stream no longer has all missed events', async () => {
    const stream = randomUUID();
    await using shop = open(stream);
    const ids = await addAll(stream, 1, 10);
    await redis.xtrim(stream, 'MAXLEN', 5);
    const client = await shop.subscribe(query, {}, undefined, ids[2]);
    expect(codeOf(await client.next())).toBe('EVENTS_MISSED');
    expect(await stocks(client, 5)).toEqual(numbers(6, 10));
    const complete = await shop.subscribe(query, {}, undefined, ids[5]);
    expect(await stocks(complete, 4)).toEqual(numbers(7, 10));
    // Nothing says that the entry of this cursor was the last one before those that are left.
    const doubtful = await shop.subscribe(query, {}, undefined, ids[4]);
    expect(codeOf(await doubtful.next())).toBe('EVENTS_MISSED');
    expect(await stocks(doubtful, 5)).toEqual(numbers(6, 10));
  });

  test('gets EVENTS_MISSED first when its cursor is from another stream, then live events', async () => {
    const stream = randomUUID();
    await using shop = open(stream);
    await addAll(stream, 1, 3);
    const client = await shop.subscribe(query, {}, undefined, '99999999999999-0');
    expect(codeOf(await client.next())).toBe('EVENTS_MISSED');
    await reading(1);
    await add(stream, 4);
    expect(await stocks(client, 1)).toEqual([4]);
  });

  test.each(['nonsense', '5', '99999999999999999999-0'])(
    'with %p, which is no cursor, is refused',
    async (cursor) => {
      await using shop = open(randomUUID());
      await expect(shop.subscribe(query, {}, undefined, cursor)).rejects.toMatchObject({
        code: 'BAD_REQUEST',
      });
      await noConnections();
    },
  );

  test('gets EVENTS_MISSED first when it resumes with the largest possible cursor, then live events', async () => {
    const stream = randomUUID();
    await using shop = open(stream);
    await addAll(stream, 1, 3);
    const largest = '18446744073709551615-18446744073709551615';
    const client = await shop.subscribe(query, {}, undefined, largest);
    expect(codeOf(await client.next())).toBe('EVENTS_MISSED');
    await reading(1);
    await add(stream, 4);
    expect(await stocks(client, 1)).toEqual([4]);
    expect([...shop.problems.counts]).toEqual([]);
  });

  test('shares the subscription of equal clients once it has caught up', async () => {
    const stream = randomUUID();
    await using shop = open(stream);
    const ids = await addAll(stream, 1, 3);
    const resume = () => shop.subscribe(query, {}, undefined, ids[1]);
    const clients = await Promise.all([resume(), resume(), resume()]);
    for (const client of clients) expect(await stocks(client, 1)).toEqual([3]);
    await reading(1);
    clients.push(await shop.subscribe(query));
    await waitForTurns(3);
    const before = shop.calls.length;
    await add(stream, 4);
    for (const client of clients) expect(await stocks(client, 1)).toEqual([4]);
    expect(shop.calls).toHaveLength(before + 1);
    const [last, ...others] = clients;
    await Promise.all(others.map((client) => client.leave()));
    await add(stream, 5);
    expect(await stocks(last as Client, 1)).toEqual([5]);
    await last?.leave();
    await noConnections();
  });

  test('receives the same events as equal clients, however many resume while events arrive', async () => {
    const stream = randomUUID();
    await using shop = open(stream, { maxEvents: 1_000_000 });
    const [first] = await addAll(stream, 1, 20);
    let last = 20;
    let isOver = false;
    const publishing = (async () => {
      // A busy machine would add many more than its twenty clients can read in time.
      while (!isOver && last < 300) await add(stream, ++last);
    })();
    const clients = await Promise.all(
      Array.from({ length: 20 }, () => shop.subscribe(query, {}, undefined, first)),
    );
    const seen = await Promise.all(clients.map((client) => stocks(client, 60)));
    isOver = true;
    await publishing;
    for (const one of seen) expect(one).toEqual(numbers(2, 61));
    for (const client of clients) expect(await stocks(client, last - 61)).toEqual(numbers(62, last));
    // Until all have caught up, and so share one subscription. The reader may still be behind the clients, and a client that
    // has received a whole batch reads once more.
    for (let calls = 0; calls !== 1; ) {
      const before = shop.calls.length;
      await add(stream, ++last);
      for (const client of clients) expect(await stocks(client, 1)).toEqual([last]);
      calls = shop.calls.length - before;
    }
  });

  test('continues at the same position with a new supergraph', async () => {
    const stream = randomUUID();
    await using shop = open(stream);
    await addOld(stream, 1, 20);
    const resumed = await shop.subscribe(query, {}, undefined, '1-0');
    const live = await shop.subscribe(query);
    await reading(1);
    expect(await stocks(resumed, 3)).toEqual(numbers(2, 4));
    // The first step selects other fields, so both are subscribed again.
    const later = await loadUpdatedTopicShop();
    await shop.replan(later);
    expect(await stocks(resumed, 16)).toEqual(numbers(5, 20));
    await addAll(stream, 21, 22);
    expect(await stocks(resumed, 1)).toEqual([21]);
    expect((await resumed.next()).data).toEqual({ stockChanged: { stock: 22, name: 'name of the stock' } });
    expect(await stocks(live, 2)).toEqual([21, 22]);
    await later.planner.close();
  });
});

test('a new supergraph does not stop the reader of a stream', async () => {
  const stream = randomUUID();
  await using shop = open(stream);
  const client = await shop.subscribe(query);
  await reading(1);
  const later = await loadUpdatedTopicShop();
  await shop.replan(later);
  await addAll(stream, 1, 2);
  expect(await stocks(client, 2)).toEqual([1, 2]);
  expect((await connections()).length).toBe(1);
  await later.planner.close();
});

test('the reader stops and its connections close when the last client leaves', async () => {
  const stream = randomUUID();
  await using shop = open(stream);
  const ids = await addAll(stream, 1, 2);
  const [live, resumed] = await Promise.all([
    shop.subscribe(query),
    shop.subscribe(query, {}, undefined, ids[0]),
  ]);
  await reading(1);
  expect(await stocks(resumed, 1)).toEqual([2]);
  await live.leave();
  await reading(1);
  await resumed.leave();
  await noConnections();
});

test('a client that leaves before Redis is available leaves no resources', async () => {
  await using shop = open(randomUUID(), {
    config: parseRedisConfig({
      url: 'redis://127.0.0.1:1',
      reconnect: { minDelay: '5ms', maxDelay: '20ms' },
    }),
  });
  const live = await shop.subscribe(query);
  const resumed = await shop.subscribe(query, {}, undefined, '1-0');
  await Promise.all([live.leave(), resumed.leave()]);
  await noConnections();
});
