import { afterEach, describe, expect, test } from '@jest/globals';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { inventory } from '../../../subgraphs/inventory/server.ts';
import { products } from '../../../subgraphs/products/server.ts';
import type { RunningSubgraph, StartSubgraphOptions } from '../../../subgraphs/shared/startSubgraph.ts';
import { startSubgraph } from '../../../subgraphs/shared/startSubgraph.ts';
import type { SubgraphDefinition } from '../../../subgraphs/shared/subgraphDefinition.ts';

const running: RunningSubgraph[] = [];

async function start<Store>(
  definition: SubgraphDefinition<Store>,
  options: StartSubgraphOptions<Store> = {},
) {
  const subgraph = await startSubgraph(definition, { port: 0, ...options });
  running.push(subgraph);
  return subgraph;
}

afterEach(async () => {
  for (const subgraph of running.splice(0)) await subgraph.close();
});

function post(url: string, body: unknown, init: RequestInit = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    ...init,
  });
}

const control = ({ url }: RunningSubgraph, path: string) => new URL(path, url).href;

describe('POST /graphql', () => {
  test('resolves representations by any of their keys and in their order, with null for unknown entities', async () => {
    const { url } = await start(products);
    const query = `query ($representations: [_Any!]!) {
      _entities(representations: $representations) { __typename ... on Product { id name } ... on Media { alt } }
    }`;
    const representations = [
      { __typename: 'Product', upc: '2000000055433' },
      { __typename: 'Product', id: 'nothing' },
      { __typename: 'Media', id: 'p2-m1' },
      { __typename: 'Product', id: 'p2' },
    ];
    const response = await post(url, { query, variables: { representations } });
    expect(await response.json()).toEqual({
      data: {
        _entities: [
          { __typename: 'Product', id: 'p1', name: 'Cast-Iron Skillet, 24 cm' },
          null,
          { __typename: 'Image', alt: 'Cast-Iron Skillet, 28 cm' },
          { __typename: 'Product', id: 'p2', name: 'Cast-Iron Skillet, 28 cm' },
        ],
      },
    });
  });

  test('returns its SDL for composition', async () => {
    const { url } = await start(inventory);
    const response = await post(url, { query: '{ _service { sdl } }' });
    const { data } = (await response.json()) as { data: { _service: { sdl: string } } };
    expect(data._service.sdl).toContain('@override(from: "products")');
  });

  test.each([
    ['application/json', 200],
    ['application/graphql-response+json', 400],
  ])('refuses an unknown field as %s with status %d', async (accept, status) => {
    const { url } = await start(products);
    const response = await post(url, { query: '{ nothing }' }, { headers: { accept } });
    expect([response.status, response.headers.get('content-type'), await response.json()]).toEqual([
      status,
      `${accept}; charset=utf-8`,
      { errors: [{ message: 'Cannot query field "nothing" on type "Query".' }] },
    ]);
  });

  test.each([
    ['invalid JSON', '{', 'The body is not JSON'],
    ['no query', {}, '`query` must be text'],
    [
      'variables that are a list',
      { query: '{ __typename }', variables: [] },
      '`variables` must be an object',
    ],
  ])('answers 400 to %s', async (_what, body, message) => {
    const { url } = await start(products);
    const response = await post(url, body);
    expect([response.status, await response.json()]).toEqual([400, { errors: [{ message }] }]);
  });
});

describe('the request log', () => {
  test('lists requests, oldest first, and is empty after DELETE /requests', async () => {
    const subgraph = await start(products);
    const query = 'query Name($id: ID!) { product(id: $id) { name } }';
    await post(
      subgraph.url,
      { query, operationName: 'Name', variables: { id: 'p1' } },
      { headers: { 'x-request-id': '7' } },
    );
    await post(subgraph.url, { query: '{ __typename }' });
    await subgraph.requests.waitUntil(({ counts }) => counts.pending === 0);

    const shown = await (await fetch(control(subgraph, '/requests'))).json();
    expect(shown).toMatchObject({
      counts: { total: 2, pending: 0, answered: 2, aborted: 0 },
      recent: [
        {
          transport: 'http',
          query,
          operationName: 'Name',
          variables: { id: 'p1' },
          headers: { 'x-request-id': '7' },
          outcome: 'answered',
        },
        { query: '{ __typename }', operationName: null, variables: {}, outcome: 'answered' },
      ],
    });
    const emptied = await (await fetch(control(subgraph, '/requests'), { method: 'DELETE' })).json();
    expect(emptied).toEqual({ counts: { total: 0, pending: 0, answered: 0, aborted: 0 }, recent: [] });
  });

  test('stores at most `keepRequests` requests in full, and counts all', async () => {
    const subgraph = await start(products, { keepRequests: 1 });
    for (const query of ['{ __typename }', '{ a: __typename }']) await post(subgraph.url, { query });
    await subgraph.requests.waitUntil(({ counts }) => counts.answered === 2);
    expect(subgraph.requests.recent.map(({ query }) => query)).toEqual(['{ a: __typename }']);
  });
});

describe('the faults of a subgraph', () => {
  test('are those of its start again after DELETE /faults', async () => {
    const initial = { targets: { 'Product.name': { latency: 5 } } };
    const subgraph = await start(products, { faults: 'Product.name=latency:5' });
    await post(control(subgraph, '/faults'), { targets: {} });
    const response = await fetch(control(subgraph, '/faults'), { method: 'DELETE' });
    expect([response.status, await response.json(), subgraph.faults.faults]).toEqual([200, initial, initial]);
  });

  test.each(['after another one has closed', 'while another one runs'])(
    'are not those of one that started earlier, if it starts %s',
    async (when) => {
      const earlier = await start(products, { faults: 'Product.name=error:1' });
      if (when === 'after another one has closed') await earlier.close();
      const { url } = await start(products);
      const response = await post(url, { query: '{ product(id: "p1") { name } }' });
      expect(await response.json()).toEqual({ data: { product: { name: 'Cast-Iron Skillet, 24 cm' } } });
    },
  );

  test('are replaced while the subgraph runs', async () => {
    const subgraph = await start(products);
    const faults = { targets: { '*': { errorRate: 1 } } };
    const set = await post(control(subgraph, '/faults'), faults);
    const failed = await post(subgraph.url, { query: '{ __typename }' });
    const inForce = await fetch(control(subgraph, '/faults'));
    await post(control(subgraph, '/faults'), { targets: {} });
    const healed = await post(subgraph.url, { query: '{ __typename }' });

    expect([set.status, failed.status, healed.status]).toEqual([200, 503, 200]);
    expect(await inForce.json()).toEqual(faults);
    expect(await failed.json()).toEqual({
      errors: [{ message: 'Injected fault at *', extensions: { code: 'INJECTED_FAULT' } }],
    });
  });

  test('are refused with 400 and the reason if they are invalid', async () => {
    const subgraph = await start(products);
    const response = await post(control(subgraph, '/faults'), {
      targets: { 'Product.nothing': { latency: 5 } },
    });
    const message = 'Product.nothing: this subgraph has no such field; name a Type.field of it, or *';
    expect([response.status, await response.json()]).toEqual([400, { errors: [{ message }] }]);
  });

  test('prevent the start if they are invalid', async () => {
    await expect(startSubgraph(products, { port: 0, faults: 'Product.name=lame' })).rejects.toThrow(
      'cannot read "lame"',
    );
  });

  test.each(['*=hang', 'Product.name=hang'])('such as %s end when the client disconnects', async (faults) => {
    const subgraph = await start(products, { faults });
    const client = new AbortController();
    const body = { query: '{ product(id: "p1") { name } }' };
    const answer = post(subgraph.url, body, { signal: client.signal }).catch((error: Error) => error.name);
    await subgraph.requests.waitUntil(({ counts }) => counts.pending === 1);
    client.abort();
    expect(await answer).toBe('AbortError');
    await subgraph.requests.waitUntil(({ counts }) => counts.aborted === 1);
    expect(subgraph.requests.counts).toEqual({ total: 1, pending: 0, answered: 0, aborted: 1 });
  });

  test('do not prevent closing while a request hangs', async () => {
    const subgraph = await startSubgraph(products, { port: 0, faults: '*=hang' });
    const answer = post(subgraph.url, { query: '{ __typename }' }).catch((error: Error) => error.name);
    await subgraph.requests.waitUntil(({ counts }) => counts.pending === 1);
    await subgraph.close();
    expect(await answer).toBe('TypeError');
  });
});

describe('/ws', () => {
  test('streams changes, appears in the request log, and unsubscribes when the client completes', async () => {
    const store = inventory.createStore({ now: () => new Date('2026-03-01T12:00:00Z') });
    const { stockChanged } = store;
    const subscribed = Promise.withResolvers<void>();
    const subscribe: typeof stockChanged.subscribe = (...args) => {
      subscribed.resolve();
      return stockChanged.subscribe(...args);
    };
    const subgraph = await start(inventory, {
      store: { ...store, stockChanged: { ...stockChanged, subscribe } },
    });
    const client = createClient({ url: subgraph.subscriptionUrl, webSocketImpl: WebSocket, lazy: true });
    const upc = '2000000055433';
    const query = 'subscription ($upc: String) { stockChanged(upc: $upc) { previous current at } }';
    const events = client.iterate({ query, variables: { upc } });
    const first = events.next();
    await subscribed.promise;
    const record = store.findStock(upc, 'LEJ');
    if (record === null) throw new Error('The warehouse has no such product.');
    store.changeStock(record, 11);

    expect(await first).toEqual({
      done: false,
      value: { data: { stockChanged: { previous: 30, current: 11, at: '2026-03-01T12:00:00.000Z' } } },
    });
    await events.return?.();
    await subgraph.requests.waitUntil(({ counts }) => counts.answered === 1);
    expect(stockChanged.subscriberCount).toBe(0);
    expect(subgraph.requests.recent.map(({ transport, variables }) => ({ transport, variables }))).toEqual([
      { transport: 'websocket', variables: { upc } },
    ]);
    await client.dispose();
  });
});
