import { describe, expect, jest, test } from '@jest/globals';
import { GraphQLID } from 'graphql';
import type { TopicListener } from '../../../../gateway/subscriptions/topics/topicListener.ts';
import { loadUpdatedTopicShop, openTopicShop } from '../../../harness/topicShop.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';

import { open, product, supergraph } from './topicEventsFixture.ts';

describe('recipients of an event', () => {
  test('all clients get an event, completed once for equal subscriptions', async () => {
    const shop = open();
    const query = 'subscription { stockChanged { stock name } }';
    const clients = await Promise.all([shop.subscribe(query), shop.subscribe(query)]);
    shop.bus.publish('stock', product({ stock: 5 }));
    for (const client of clients) {
      expect((await client.next()).data).toEqual({ stockChanged: { stock: 5, name: 'name of 1' } });
    }
    expect(shop.calls).toHaveLength(1);
  });

  test('clients get an event when their arguments match or are omitted', async () => {
    const shop = open();
    const query = `subscription ($w: ID, $l: Int, $s: [Int!]) {
      stockChanged(warehouse: $w, level: $l, sizes: $s) { stock }
    }`;
    const given = [{}, { w: null }, { w: '1' }, { w: '2' }, { w: '1', l: 3 }, { s: [1, 2] }];
    const clients = await Promise.all(given.map((variables) => shop.subscribe(query, variables)));
    const events = [
      product({ stock: 0, warehouse: { id: 1 }, level: 2 }),
      product({ stock: 1, warehouse: { id: '2' }, sizes: [1, 2] }),
      product({ stock: 2, warehouse: { id: '1' }, level: 3, sizes: [1] }),
      product({ stock: 3 }),
    ];
    for (const event of events) shop.bus.publish('stock', event);
    const got = [[0, 1, 2, 3], [0, 1, 2, 3], [0, 2], [1], [2], [1]];
    for (const [index, stocks] of got.entries()) {
      for (const stock of stocks) {
        expect((await clients[index]?.next())?.data).toEqual({ stockChanged: { stock } });
      }
    }
  });

  test('the filter uses the default of a variable', async () => {
    const shop = open();
    const query = 'subscription ($w: ID = "2") { stockChanged(warehouse: $w) { stock } }';
    const client = await shop.subscribe(query);
    shop.bus.publish('stock', product({ stock: 1, warehouse: { id: 1 } }));
    shop.bus.publish('stock', product({ stock: 2, warehouse: { id: 2 } }));
    expect((await client.next()).data).toEqual({ stockChanged: { stock: 2 } });
  });

  test('the filter uses the default of an argument', async () => {
    const shop = open();
    const client = await shop.subscribe('subscription { arrived { ... on Product { stock } } }');
    shop.bus.publish('arrived', product({ stock: 1, at: 'south' }));
    shop.bus.publish('arrived', product({ stock: 2, at: 'north' }));
    expect((await client.next()).data).toEqual({ arrived: { stock: 2 } });
  });

  test('no client gets an event of an impossible type, which is counted once for all subscriptions', async () => {
    const shop = open();
    const queries = ['id', 'stock'].map((name) => `subscription { stockChanged { ${name} } }`);
    const clients = await Promise.all(queries.map((query) => shop.subscribe(query)));
    shop.bus.publish('stock', { __typename: 'Pallet', id: 'none' });
    shop.bus.publish('stock', product({ stock: 2 }));
    const received = await Promise.all(clients.map(async (client) => (await client.next()).data));
    expect(received).toEqual([{ stockChanged: { id: '1' } }, { stockChanged: { stock: 2 } }]);
    expect(shop.problems.counts).toEqual(new Map([['event of another type', 1]]));
    expect(shop.lines).toMatchObject([{ problem: 'event_of_another_type', topic: 'stock' }]);
  });

  test('a client gets no event after leaving', async () => {
    const shop = open();
    const query = 'subscription { stockChanged { stock } }';
    const [one, other] = await Promise.all([shop.subscribe(query), shop.subscribe(query)]);
    await one.leave();
    shop.bus.publish('stock', product({ stock: 1 }));
    expect((await other.next()).data).toEqual({ stockChanged: { stock: 1 } });
    await expect(one.next()).rejects.toThrow('over');
  });

  test('a topic has no listener after its last client has left', async () => {
    const shop = open();
    const subscribe = jest.spyOn(shop.bus, 'subscribe');
    const client = await shop.subscribe('subscription { stockChanged { id } }');
    const [[, listener]] = subscribe.mock.calls as [[string, TopicListener]];
    const onEvent = jest.spyOn(listener, 'onEvent');
    shop.bus.publish('stock', product());
    await client.next();
    await client.leave();
    shop.bus.publish('stock', product());
    expect(onEvent).toHaveBeenCalledTimes(1);
  });

  test('fields that no topic feeds are subscribed to at their subgraphs', async () => {
    const shop = open();
    await shop.subscribe('subscription { priceChanged { stock } }');
    expect(shop.next.subscriptions).toHaveLength(1);
  });
});

describe('the events of a stream', () => {
  const query = 'subscription ($w: ID) { stockChanged(warehouse: $w) { id } }';

  /** A shop with a stream, whose entries the test sends to the listeners. */
  function openStream() {
    const shop = openTopicShop(supergraph, {
      fields: { 'Subscription.stockChanged': { stream: 'stock', filter: { warehouse: 'warehouse.id' } } },
    });
    const unsubscribe = jest.fn();
    const subscribe = jest.spyOn(shop.hub, 'subscribe').mockReturnValue({ unsubscribe });
    return {
      shop,
      unsubscribe,
      /** The cursors with which the source has subscribed. */
      cursors: () => subscribe.mock.calls.map(([, cursor]) => cursor),
      listener: () => subscribe.mock.lastCall?.[2] as TopicListener,
    };
  }

  const entry = (number: number, warehouse = 'north') => ({
    typename: 'Product',
    value: product({ id: `p${number}`, warehouse: { id: warehouse } }),
    id: `${number}-0`,
    size: 10,
  });

  test('are replayed as fast as the client reads those that it gets, then sent live', async () => {
    const { shop, cursors, listener } = openStream();
    const client = await shop.subscribe(query, { w: 'north' }, undefined, '1-0');
    expect(cursors()).toEqual(['1-0']);
    const source = listener();
    await source.onReplayedEvent(entry(2, 'south'));
    let isConsumed = false;
    const consumed = source.onReplayedEvent(entry(3)).then(() => {
      isConsumed = true;
    });
    await waitForTurns(5);
    expect(isConsumed).toBe(false);
    expect(await client.next()).toMatchObject({ data: { stockChanged: { id: 'p3' } }, cursor: '3-0' });
    await consumed;
    source.onCaughtUp();
    source.onGap();
    expect(await client.next()).toMatchObject({ errors: [{ extensions: { code: 'EVENTS_MISSED' } }] });
    source.onEvent(entry(4, 'south'));
    source.onEvent(entry(5));
    expect(await client.next()).toMatchObject({ data: { stockChanged: { id: 'p5' } }, cursor: '5-0' });
    await client.leave();
  });

  test('are not replayed after a text that is no cursor', async () => {
    const { shop, cursors } = openStream();
    const resumed = shop.subscribe(query, {}, undefined, 'yesterday');
    await expect(resumed).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    expect(cursors()).toEqual([]);
  });

  test('are read with the plan of a new supergraph at once, without waiting for the first one', async () => {
    const { shop, unsubscribe, cursors } = openStream();
    const client = await shop.subscribe('subscription { stockChanged { id name } }');
    const later = await loadUpdatedTopicShop();
    await shop.replan(later);
    expect([cursors(), unsubscribe.mock.calls]).toStrictEqual([[undefined, undefined], [[]]]);
    await client.leave();
    await later.planner.close();
  });

  test('end with the source', async () => {
    const { shop } = openStream();
    const close = jest.spyOn(shop.hub, 'close');
    await shop[Symbol.asyncDispose]();
    expect([close.mock.calls.length, shop.next.isClosed]).toEqual([1, true]);
  });
});

describe('invalid requests', () => {
  test.each([
    ['text', 'it is not an object'],
    [undefined, 'it is not an object'],
    [[product()], 'it is not an object'],
    [{ id: '1' }, 'it has no `__typename`'],
  ])('publishing %p throws a TypeError', (event, reason) => {
    expect(() => open().bus.publish('stock', event)).toThrow(
      new TypeError(`The event for topic "stock" cannot be published: ${reason}.`),
    );
  });

  test('resuming a field without a stream is refused', async () => {
    const resume = (field: string) =>
      open().subscribe(`subscription { ${field} { stock } }`, {}, undefined, '1-0');
    for (const field of ['stockChanged', 'priceChanged']) {
      await expect(resume(field)).rejects.toMatchObject({ code: 'BAD_REQUEST' });
    }
  });
});

test('an event is sent without reading the arguments of subscriptions, also the first one of a supergraph', async () => {
  const shop = open();
  const query = 'subscription ($w: ID) { stockChanged(warehouse: $w) { id } }';
  const client = await shop.subscribe(query, { w: 'north' });
  const parseId = jest.spyOn(GraphQLID, 'parseValue');
  const event = (id: string, warehouse: string) => product({ id, warehouse: { id: warehouse } });
  for (const warehouse of ['south', 'north']) shop.bus.publish('stock', event('1', warehouse));
  const later = await loadUpdatedTopicShop();
  expect(parseId).toHaveBeenCalledTimes(0);
  await shop.replan(later);
  const calls = parseId.mock.calls.length;
  expect(calls).toBeGreaterThan(0);
  for (const warehouse of ['south', 'north']) shop.bus.publish('stock', event('2', warehouse));
  expect(parseId).toHaveBeenCalledTimes(calls);
  expect([await client.next(), await client.next()].map(({ data }) => data)).toEqual([
    { stockChanged: { id: '1' } },
    { stockChanged: { id: '2' } },
  ]);
  await client.leave();
  await later.planner.close();
});
