import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import {
  add,
  addAll,
  addOld,
  type Client,
  codeOf,
  noConnections,
  numbers,
  open,
  query,
  reading,
  redis,
  stockOf,
  stocks,
} from '../harness/streamShop.ts';
import { loadUpdatedTopicShop } from '../harness/topicShop.ts';
import { waitForTurns } from '../harness/waitForTurns.ts';

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
