import { describe, expect, test } from '@jest/globals';
import { ExecutionQueue, ExecutionQueueTimeError } from '../../../../gateway/execution/executionQueue.ts';
import { systemTimers } from '../../../../gateway/time/timers.ts';
import { loadUpdatedTopicShop, openTopicShop } from '../../../harness/topicShop.ts';

import { fields, open, product, send, supergraph } from './topicEventsFixture.ts';

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
