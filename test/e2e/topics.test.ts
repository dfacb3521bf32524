import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import type { TopicEvent } from '../../gateway/subscriptions/topics/topicEvent.ts';
import { parseRedisConfig } from '../harness/redisStoreFixture.ts';
import {
  add,
  addAll,
  addOld,
  type Client,
  codeOf,
  connections,
  noConnections,
  numbers,
  open,
  query,
  reading,
  reconnect,
  redis,
  type Shop,
  server,
  stocks,
} from '../harness/streamShop.ts';
import { loadUpdatedTopicShop } from '../harness/topicShop.ts';
import { useUpTurns } from '../harness/useUpTurns.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';

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
  reconnect();
  expect(codeOf(await client.next())).toBe('EVENTS_MISSED');
  await reading(1);
  const other = await shop.subscribe('subscription { stockChanged { stock } }');
  await add(stream, 1);
  expect(await stocks(client, 1)).toEqual([1]);
  // The event arrived after Redis was available again.
  expect(await stocks(other, 1)).toEqual([1]);
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
