import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { GraphQLID } from 'graphql';
import { ExecutionQueue, ExecutionQueueTimeError } from '../../../../gateway/execution/executionQueue.ts';
import type { TopicListener } from '../../../../gateway/subscriptions/topics/topicListener.ts';
import { systemTimers } from '../../../../gateway/time/timers.ts';
import {
  loadTopicShop,
  loadUpdatedTopicShop,
  openTopicShop,
  type TopicShopSupergraph,
} from '../../../harness/topicShop.ts';
import { waitForTurns } from '../../../harness/waitForTurns.ts';

let supergraph: TopicShopSupergraph;
beforeAll(async () => {
  supergraph = await loadTopicShop();
});
afterAll(() => supergraph.planner.close());

const fields = {
  'Subscription.stockChanged': {
    topic: 'stock',
    filter: { warehouse: 'warehouse.id', level: 'level', sizes: 'sizes' },
  },
  'Subscription.arrived': { topic: 'arrived', filter: { at: 'at' } },
  'Subscription.moved': { topic: 'moved', filter: {} },
  'Subscription.lineChanged': { topic: 'line', filter: {} },
};
const open = () => openTopicShop(supergraph, { fields });
type Shop = ReturnType<typeof open>;

/** Returns what a client of this operation receives for an event, and the requests to subgraphs. */
async function send(query: string, event: object, topic = 'stock', shop: Shop = open()) {
  const client = await shop.subscribe(query);
  shop.bus.publish(topic, event);
  const { data, errors } = await client.next();
  await client.leave();
  return { data, errors, calls: shop.calls };
}

const product = (more: object = {}) => ({ __typename: 'Product', id: '1', ...more });

describe('an event of a topic', () => {
  test('reaches subscriptions that began before its type was added', async () => {
    const shop = open();
    const client = await shop.subscribe('subscription { moved { at } }');
    const later = await loadUpdatedTopicShop();
    await shop.replan(later);
    shop.bus.publish('moved', { __typename: 'Truck', id: 't1', at: 'road' });
    shop.bus.publish('moved', product({ at: 'shelf' }));
    expect((await client.next()).data).toEqual({ moved: { at: 'road' } });
    await client.leave();
    await later.planner.close();
  });

  test('is sent without fetches when it has all selected fields', async () => {
    const event = product({
      stock: 5,
      maker: { code: 'm2' },
      shelves: [{ id: 'a', label: 'own' }, null],
      place: { __typename: 'Yard', label: 'own yard', area: 2, floor: 9 },
      unselected: true,
    });
    const query = `subscription {
      stockChanged {
        __typename id stock
        maker { __typename code }
        shelves { id label }
        place { label ... on Yard { area } ... on Room { floor } }
      }
    }`;
    const { data, calls } = await send(query, event);
    expect(data).toEqual({
      stockChanged: {
        __typename: 'Product',
        id: '1',
        stock: 5,
        maker: { __typename: 'Maker', code: 'm2' },
        shelves: [{ id: 'a', label: 'own' }, null],
        place: { label: 'own yard', area: 2 },
      },
    });
    expect(calls).toEqual([]);
  });

  test('is sent to subscriptions whose field is in fragments', async () => {
    const query = `subscription { ... on Subscription { ... { ...Changed } } }
      fragment Changed on Subscription { changed: stockChanged { stock } }`;
    const { data } = await send(query, product({ stock: 5 }));
    expect(data).toEqual({ changed: { stock: 5 } });
  });

  test('is completed with fields of other subgraphs', async () => {
    const query = 'subscription { stockChanged { stock name code } }';
    const { data, calls } = await send(query, product({ stock: 5, sku: 's1' }));
    expect(data).toEqual({ stockChanged: { stock: 5, name: 'name of 1', code: 'code of s1' } });
    expect(calls.map(({ subgraph }) => subgraph)).toEqual(['products']);
  });

  test('has its values for fields of other subgraphs ignored, which is logged once for each topic and field', async () => {
    const shop = open();
    const event = product({ stock: 5, name: 'new', code: 'c', sku: 's1', at: 'north' });
    const query = 'subscription { stockChanged { stock name sku } }';
    for (let sent = 0; sent < 2; sent++) {
      const { data } = await send(query, event, 'stock', shop);
      expect(data).toEqual({ stockChanged: { stock: 5, name: 'name of 1', sku: 's1' } });
    }
    await send('subscription { stockChanged { name code } }', event, 'stock', shop);
    await send('subscription { arrived { ... on Product { name } } }', event, 'arrived', shop);
    const problem = 'ignored_value';
    expect(shop.lines).toMatchObject([
      {
        problem,
        topic: 'stock',
        coordinate: 'Product.name',
        message: expect.stringContaining('Product.name'),
      },
      { problem, topic: 'stock', coordinate: 'Product.code' },
      { problem, topic: 'arrived', coordinate: 'Product.name' },
    ]);
    expect(shop.lines).toHaveLength(3);
  });

  test('has its values for fields with inputs of other subgraphs ignored and logged', async () => {
    const shop = open();
    const event = product({ origin: 'of the event' });
    const { data } = await send('subscription { stockChanged { origin } }', event, 'stock', shop);
    expect(data).toEqual({ stockChanged: { origin: 'origin of supplier of 1' } });
    expect(shop.lines).toMatchObject([{ problem: 'ignored_value', coordinate: 'Product.origin' }]);
  });

  test('has no ignored value where the field is missing, or is selected for another type', async () => {
    const shop = open();
    const query = 'subscription { arrived { ... on Product { name } ... on Pallet { weight } } }';
    await send(query, product({ at: 'north' }), 'arrived', shop);
    const pallet = { __typename: 'Pallet', id: 'p', at: 'north', weight: 1, name: 'pallet' };
    await send(query, pallet, 'arrived', shop);
    expect(shop.lines).toEqual([]);
  });

  test('has no ignored value where the field is selected for a nested object only', async () => {
    const shop = open();
    const query = 'subscription { stockChanged { stock rival { name } } }';
    const event = product({ stock: 5, name: 'of the event', rival: { id: '2' } });
    const { data } = await send(query, event, 'stock', shop);
    expect(data).toEqual({ stockChanged: { stock: 5, rival: { name: 'name of 2' } } });
    expect(shop.lines).toEqual([]);
  });

  test('lacks fields that are fetched from its own subgraph before other subgraphs', async () => {
    const query = 'subscription { stockChanged { stock maker { code country } code } }';
    const { data, calls } = await send(query, product({ stock: 5, maker: { code: 'm2' } }));
    expect(data).toEqual({
      stockChanged: { stock: 5, maker: { code: 'm2', country: 'NL' }, code: 'code of sku of the subgraph' },
    });
    expect(calls.map(({ subgraph }) => subgraph)).toEqual(['stock', 'products']);
    expect(calls[0]?.query.replaceAll(/\s+/g, ' ')).toBe(
      'query ($representations: [_Any!]!) { _entities(representations: $representations) ' +
        '{ ... on Product { maker { country } sku } } }',
    );
  });

  test('needs no fetch for null fields', async () => {
    const query = 'subscription { stockChanged { stock sku } }';
    const { data } = await send(query, product({ stock: null }));
    expect(data).toEqual({ stockChanged: { stock: null, sku: 'sku of the subgraph' } });
  });

  test('has no value for fields with arguments', async () => {
    const query = `subscription {
      stockChanged { price: price(currency: "EUR") other: price id: sku stock }
    }`;
    const { data } = await send(query, product({ price: 9, stock: 1 }));
    expect(data).toEqual({ stockChanged: { price: 1.5, other: 9, id: 'sku of the subgraph', stock: 1 } });
  });

  test('passes the variables of the operation to the fetch of missing fields', async () => {
    const shop = open();
    const query = `subscription ($c: String, $w: ID, $more: Boolean = true) {
      changed: stockChanged(warehouse: $w) { price(currency: $c) name @include(if: $more) }
    }`;
    const client = await shop.subscribe(query, { c: 'EUR' });
    shop.bus.publish('stock', product());
    expect((await client.next()).data).toEqual({ changed: { price: 1.5, name: 'name of 1' } });
  });

  test('is completed element by element in lists', async () => {
    const query = 'subscription { stockChanged { shelves { id label } } }';
    const { data } = await send(query, product({ shelves: [{ id: 'a' }, { id: 'b', label: 'own' }] }));
    expect(data).toEqual({
      stockChanged: {
        shelves: [
          { id: 'a', label: 'label of a' },
          { id: 'b', label: 'own' },
        ],
      },
    });
  });

  test('lacks nested objects of unknown type, which are fetched', async () => {
    const query = 'subscription { stockChanged { place { ... on Room { floor } label } } }';
    const { data } = await send(query, product({ place: { label: 'own' } }));
    expect(data).toEqual({ stockChanged: { place: { floor: 3, label: 'own' } } });
  });

  test('is completed with any key that its subgraph can resolve', async () => {
    const query = 'subscription { stockChanged { id stock maker { country } } }';
    const event = { __typename: 'Product', number: 7, maker: { code: 'm1' } };
    const { data } = await send(query, event);
    expect(data).toEqual({
      stockChanged: { id: 'found by its maker', stock: 100, maker: { country: 'NL' } },
    });
  });

  test('is completed with its own key when an earlier event that lacked the same fields had another one', async () => {
    const shop = open();
    const query = 'subscription { stockChanged { sku id: number } }';
    const client = await shop.subscribe(query);
    shop.bus.publish('stock', product({ number: 7 }));
    shop.bus.publish('stock', { __typename: 'Product', number: 7, maker: { code: 'm1' } });
    const sku = 'sku of the subgraph';
    for (let received = 0; received < 2; received++)
      expect(await client.next()).toMatchObject({ data: { stockChanged: { sku, id: 7 } } });
    await client.leave();
    expect(shop.calls).toHaveLength(2);
  });

  test('can be of any possible type of the field', async () => {
    const shop = open();
    const query = 'subscription { arrived { ... on Product { stock name } ... on Pallet { weight } } }';
    const at = 'north';
    const one = await send(query, product({ at }), 'arrived', shop);
    expect(one.data).toEqual({ arrived: { stock: 100, name: 'name of 1' } });
    const other = await send(query, { __typename: 'Pallet', id: 'p', at }, 'arrived', shop);
    expect(other.data).toEqual({ arrived: { weight: 12 } });
  });

  test('is fetched by its own type when the field has an interface type', async () => {
    const shop = open();
    const query = 'subscription { moved { at } }';
    const one = await send(query, product(), 'moved', shop);
    const other = await send(query, { __typename: 'Pallet', id: 'p' }, 'moved', shop);
    expect([one.data, other.data]).toEqual([{ moved: { at: 'shop' } }, { moved: { at: 'yard' } }]);
  });

  test('is fetched with the aliases of the subgraph operation', async () => {
    const shop = open();
    const query = 'subscription { arrived { ... on Product { mass } ... on Pallet { mass } } }';
    const at = 'north';
    const events = [product({ at }), product({ at, mass: 1 }), { __typename: 'Pallet', id: 'p', at }];
    const masses: unknown[] = [];
    for (const event of events) masses.push((await send(query, event, 'arrived', shop)).data);
    expect(masses).toEqual([40, 1, 50].map((mass) => ({ arrived: { mass } })));
    expect(shop.calls.map(({ query: asked }) => asked)).toEqual([
      expect.stringContaining('... on Product'),
      expect.stringContaining('... on Pallet'),
    ]);
  });

  test('has EVENT_INCOMPLETE errors for missing fields without a key', async () => {
    const query = 'subscription { changed: lineChanged { what: text amount } }';
    const { data, errors } = await send(query, { __typename: 'Line', amount: 2 }, 'line');
    expect(data).toEqual({ changed: { what: null, amount: 2 } });
    expect(errors).toMatchObject([{ path: ['changed', 'what'], extensions: { code: 'EVENT_INCOMPLETE' } }]);
  });

  test('has the errors of its subgraph when missing fields cannot be fetched', async () => {
    const query = 'subscription { stockChanged { stock name } }';
    const { data, errors } = await send(query, product({ id: 'lost' }));
    expect(data).toEqual({ stockChanged: { stock: null, name: 'name of lost' } });
    expect(errors).toMatchObject([{ message: 'no such product', path: ['stockChanged', 'stock'] }]);
  });

  test('is sent in parts that wait for the fields it lacks', async () => {
    const shop = open();
    const query = 'subscription { stockChanged { stock ... @defer { code } } }';
    const client = await shop.subscribe(query, {}, 'deferSpec=20220824');
    shop.bus.publish('stock', product({ stock: 5 }));
    expect(await client.next()).toMatchObject({ data: { stockChanged: { stock: 5 } }, hasNext: true });
    expect(await client.next()).toMatchObject({
      incremental: [{ data: { code: 'code of sku of the subgraph' } }],
      hasNext: false,
    });
  });
});

test('an event is completed after its execution has waited for too long', async () => {
  let refusals = 2;
  class BusyQueue extends ExecutionQueue {
    override enter(...parameters: Parameters<ExecutionQueue['enter']>) {
      return refusals-- > 0 ? Promise.reject(new ExecutionQueueTimeError()) : super.enter(...parameters);
    }
  }
  const executionQueue = new BusyQueue({
    queueTimeMs: 1,
    timers: systemTimers,
    readUtilization: () => 0,
    onDrop: () => {},
  });
  const shop = openTopicShop(supergraph, { fields, executionQueue });
  const { data, errors } = await send('subscription { stockChanged { name } }', product(), 'stock', shop);
  expect([data, errors, refusals]).toEqual([{ stockChanged: { name: 'name of 1' } }, undefined, -1]);
});

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
    expect([cursors(), unsubscribe.mock.calls]).toEqual([[undefined, undefined], [[]]]);
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
