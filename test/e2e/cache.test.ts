import { describe, expect, test } from '@jest/globals';
import { executeOnShop, startCachedShop } from '../harness/cachedShop.ts';
import { noKeepAlive } from '../harness/gatewayProcess.ts';
import { type InlineSubgraph, startInlineGateway } from '../harness/inlineGateway.ts';
import { readDemoOperations } from '../harness/readDemoOperations.ts';
import { scrapeSample } from '../harness/scrapeSample.ts';
import { startTestGateway } from '../harness/testGateway.ts';

const minute = { maxAge: '1m' } as const;

const ids = (first: number, last: number): string[] =>
  Array.from({ length: last - first + 1 }, (_, index) => `${first + index}`);

describe('Cached entities', () => {
  const listed = 'query ($ids: [ID!]!) { products(ids: $ids) { id stock } }';

  test('answer 47 of a list of 50, and the subgraph is called for the other 3', async () => {
    await using shop = await startCachedShop({ cache: { rules: { 'subgraph:stock': minute } } });
    await shop.execute(listed, { variables: { ids: ids(2, 48) } });
    shop.data.stock = 8;
    const all = ['50', ...ids(1, 49)];
    const { body } = await shop.execute(listed, { variables: { ids: all } });
    expect(shop.requestedStockIds()).toEqual([ids(2, 48), ['50', '1', '49']]);
    const isNew = (id: string) => ['50', '1', '49'].includes(id);
    expect(body).toEqual({ data: { products: all.map((id) => ({ id, stock: isNew(id) ? 8 : 3 })) } });
  });

  test('are shared by different operations', async () => {
    await using shop = await startCachedShop({
      cache: { rules: { 'subgraph:stock': minute, 'subgraph:catalog': minute } },
    });
    await shop.execute('query First { products(ids: ["1", "2"]) { stock } }');
    const { body } = await shop.execute('query Other { it: product(id: "2") { id stock } }');
    expect(body).toEqual({ data: { it: { id: '2', stock: 3 } } });
    await shop.execute('{ again: products(ids: ["2", "1"]) { stock } }');
    expect(shop.requestedStockIds()).toEqual([['1', '2']]);
  });

  test('are fetched again when they expire', async () => {
    await using shop = await startCachedShop({ cache: { rules: { 'subgraph:stock': minute } } });
    await shop.execute('{ top { stock } }');
    shop.data.stock = 8;
    shop.clock.advanceSeconds(59);
    expect((await shop.execute('{ top { stock } }')).body).toEqual({ data: { top: { stock: 3 } } });
    shop.clock.advanceSeconds(1);
    expect((await shop.execute('{ top { stock } }')).body).toEqual({ data: { top: { stock: 8 } } });
  });

  test('are stored beside entities with errors, which are fetched each time', async () => {
    await using shop = await startCachedShop({ cache: { rules: { 'subgraph:stock': minute } } });
    const query = '{ products(ids: ["1", "broken", "odd", "2"]) { id stock reserved } }';
    const first = await shop.execute(query);
    expect(first.body.errors).toHaveLength(2);
    expect(first.body.data).toEqual({
      products: [
        { id: '1', stock: 3, reserved: 1 },
        { id: 'broken', stock: null, reserved: 1 },
        null,
        { id: '2', stock: 3, reserved: 1 },
      ],
    });
    expect((await shop.execute(query)).body).toEqual(first.body);
    expect(shop.requestedStockIds()).toEqual([
      ['1', 'broken', 'odd', '2'],
      ['broken', 'odd'],
    ]);
  });

  test('are stored for `nullMaxAge` if they are null', async () => {
    await using shop = await startCachedShop({
      cache: { rules: { 'subgraph:stock': minute }, nullMaxAge: '2s' },
    });
    const query = '{ products(ids: ["none", "1"]) { id stock } }';
    const first = await shop.execute(query);
    expect((await shop.execute(query)).body).toEqual(first.body);
    shop.clock.advanceSeconds(2);
    expect((await shop.execute(query)).body).toEqual(first.body);
    expect(shop.requestedStockIds()).toEqual([['none', '1'], ['none']]);
  });

  test('are not served stale if they are null, also within `nullMaxAge`', async () => {
    const stale = { maxAge: '2s', staleWhileRevalidate: '1m', staleIfError: '1m' } as const;
    await using shop = await startCachedShop({
      cache: { rules: { 'subgraph:stock': stale }, nullMaxAge: '10s' },
    });
    const query = '{ products(ids: ["none"]) { id stock } }';
    const first = await shop.execute(query);
    shop.clock.advanceSeconds(3);
    expect((await shop.execute(query)).body).toEqual(first.body);
    expect(shop.requestedStockIds()).toEqual([['none'], ['none']]);
  });
});

test('Lookups of a fetch with entities of several types are counted by type', async () => {
  await using gateway = await startInlineGateway({
    subgraphs: [
      {
        name: 'catalog',
        sdl: `
          type Query { media(ids: [ID!]!): [Media!]! }
          interface Media { id: ID! }
          type Book implements Media @key(fields: "id") { id: ID! }
          type Film implements Media @key(fields: "id") { id: ID! }
        `,
        resolvers: {
          Query: {
            media: (_: never, { ids }: { ids: readonly string[] }) =>
              ids.map((id) => ({ __typename: id.startsWith('b') ? 'Book' : 'Film', id })),
          },
        } as InlineSubgraph['resolvers'] & {},
      },
      {
        name: 'stock',
        sdl: `
          type Book @key(fields: "id") { id: ID! stock: Int }
          type Film @key(fields: "id") { id: ID! stock: Int }
        `,
        resolvers: { Book: { stock: () => 1 }, Film: { stock: () => 2 } },
      },
    ],
    config: { cache: { rules: { 'subgraph:stock': minute } } },
  });
  const query = 'query ($ids: [ID!]!) { media(ids: $ids) { ... on Book { stock } ... on Film { stock } } }';
  for (const ids of [['b1'], ['b1', 'f1', 'f2'], ['f1', 'b1', 'f2']]) {
    await gateway.execute(query, { variables: { ids } });
  }
  // One fetch has both types.
  expect(gateway.subgraph('stock').calls).toHaveLength(2);
  const metrics = await (await fetch(new URL('/metrics', gateway.adminUrl), { headers: noKeepAlive })).text();
  const counts = metrics.matchAll(
    /^tributary_cache_lookups_total\{subgraph="stock",type="(.*)",outcome="(.*)"\} (\d+)$/gm,
  );
  expect(Array.from(counts, ([, ...values]) => values.join(' ')).sort()).toEqual([
    'Book hit 2',
    'Book miss 1',
    'Book stale 0',
    'Film hit 2',
    'Film miss 2',
    'Film stale 0',
  ]);
});

test('A fetch that the cache answers does not wait for the response to another one of the same moment', async () => {
  await using gateway = await startInlineGateway({
    subgraphs: [
      {
        name: 'catalog',
        sdl: `
          type Query { product: Product person: Person }
          type Product @key(fields: "id") { id: ID! }
          type Person @key(fields: "id") { id: ID! }
        `,
        resolvers: { Query: { product: () => ({ id: '1' }), person: () => ({ id: '2' }) } },
      },
      {
        name: 'details',
        sdl: `
          type Product @key(fields: "id") { id: ID! vendor: Vendor }
          type Person @key(fields: "id") { id: ID! nick: String }
          type Vendor @key(fields: "id") { id: ID! }
        `,
        resolvers: { Product: { vendor: () => ({ id: '3' }) }, Person: { nick: () => 'Kim' } },
      },
      {
        name: 'vendors',
        sdl: 'type Vendor @key(fields: "id") { id: ID! name: String }',
        resolvers: { Vendor: { name: () => 'Shop' } },
      },
    ],
    config: { cache: { rules: { 'Product.vendor': minute } } },
  });
  await gateway.execute('{ product { vendor { name } } }');
  gateway.reset();
  const nick = gateway.subgraph('details').hold('Person.nick');
  const answer = gateway.execute('{ product { vendor { name } } person { nick } }');
  await nick.waitForArrivals();
  await gateway.subgraph('vendors').waitForCalls(1);
  nick.open();
  const data = { product: { vendor: { name: 'Shop' } }, person: { nick: 'Kim' } };
  expect((await answer).body).toEqual({ data });
});

describe('Cached root fields', () => {
  test('are stored separately', async () => {
    await using shop = await startCachedShop({
      cache: { rules: { 'Query.greeting': minute, 'subgraph:catalog': { maxAge: '5s' } } },
    });
    const first = await shop.execute('{ greeting top { id } }');
    shop.data.greeting = 'good morning';
    shop.clock.advanceSeconds(5);
    expect((await shop.execute('{ greeting top { id } }')).body).toEqual(first.body);
    expect(shop.catalog.calls.at(-1)?.query).not.toContain('greeting');
  });

  test('have separate entries for different arguments', async () => {
    await using shop = await startCachedShop({ cache: { rules: { 'subgraph:catalog': minute } } });
    const query = 'query ($id: ID!) { product(id: $id) { name } }';
    for (const id of ['1', '2', '1', '2']) {
      expect((await shop.execute(query, { variables: { id } })).body).toEqual({
        data: { product: { name: `Product ${id}` } },
      });
    }
    expect(shop.catalog.calls).toHaveLength(2);
  });
});

describe('Mutations', () => {
  const mutation = 'mutation { rename(id: "1", prefix: "Thing") { name stock } }';

  test('are sent each time, and the fields read after them are neither looked up nor stored', async () => {
    await using shop = await startCachedShop({
      cache: { rules: { 'subgraph:catalog': minute, 'subgraph:stock': minute } },
    });
    await shop.execute('{ product(id: "1") { stock } }');
    shop.data.stock = 8;
    for (let time = 1; time <= 2; time++) {
      const { body, headers } = await shop.execute(mutation);
      expect(body).toEqual({ data: { rename: { name: 'Thing 1', stock: 8 } } });
      expect(headers.get('cache-control')).toBe('no-store');
    }
    expect(shop.requestedStockIds()).toEqual([['1'], ['1'], ['1']]);
    // The mutation's reads were not stored either.
    expect((await shop.execute('{ product(id: "1") { stock } }')).body).toEqual({
      data: { product: { stock: 3 } },
    });
  });

  test('invalidate for requests that come while an older equal one is under way', async () => {
    await using shop = await startCachedShop({
      cache: { rules: { 'subgraph:catalog': minute }, mutations: { 'Mutation.rename': {} } },
    });
    const query = '{ product(id: "1") { name } }';
    const gate = shop.catalog.hold('Query.product');
    const older = shop.execute(query);
    await gate.waitForArrivals();
    await shop.execute(mutation);
    const newer = shop.execute(query);
    const count = (sample: string) => scrapeSample(shop.gateway.adminUrl, sample);
    const miss = 'tributary_cache_lookups_total{subgraph="catalog",type="Query",outcome="miss"} ';
    while ((await count(miss)) < 2 && (await count('tributary_shared_responses_total ')) < 1);
    gate.open();
    await Promise.all([older, newer]);
    expect(shop.catalog.calls).toHaveLength(3);
  });

  test('invalidate what their arguments name when their client disconnects: the subgraph may have applied them', async () => {
    const entities = [{ __typename: 'Product', id: '{args.id}' }];
    await using shop = await startCachedShop({
      cache: {
        rules: { 'subgraph:stock': minute },
        mutations: { 'Mutation.rename': { entities } },
      },
    });
    await shop.execute('{ product(id: "1") { stock } }');
    shop.data.stock = 8;
    const gate = shop.catalog.hold('Mutation.rename');
    const leaving = new AbortController();
    const answer = shop.execute(mutation, { signal: leaving.signal });
    await gate.waitForArrivals();
    leaving.abort();
    await expect(answer).rejects.toThrow();
    expect(await shop.catalog.calls.at(-1)?.ended).toBe(false);
    gate.open();
    expect((await shop.execute('{ product(id: "1") { stock } }')).body).toEqual({
      data: { product: { stock: 8 } },
    });
  });
});

describe('A response', () => {
  const everything = Object.fromEntries(
    ['accounts', 'products', 'inventory', 'reviews', 'recommendations'].map((name) => [
      `subgraph:${name}`,
      { maxAge: '1h' },
    ]),
  );

  test('is the same without a cache, with an empty and with a full one, including errors', async () => {
    await using plain = await startTestGateway({ config: { cache: { enabled: false } } });
    await using cached = await startTestGateway({ config: { cache: { rules: everything } } });
    const queries = readDemoOperations().filter(({ kind }) => kind === 'query');
    const saved: string[] = [];
    for (const { name, source, variables } of queries) {
      const expected = (await executeOnShop(plain.url, source, { variables })).body;
      const counted = () =>
        cached.subgraphs.all.reduce((sum, { requests }) => sum + requests.counts.total, 0);
      const before = counted();
      const cold = (await executeOnShop(cached.url, source, { variables })).body;
      const between = counted();
      const warm = (await executeOnShop(cached.url, source, { variables })).body;
      expect({ name, ...cold }).toEqual({ name, ...expected });
      expect({ name, ...warm }).toEqual({ name, ...expected });
      if (counted() - between < between - before) saved.push(name);
    }
    expect(saved.length).toBeGreaterThan(queries.length / 2);
  });
});

describe('With `cache.enabled: false`,', () => {
  test('every request calls the subgraph', async () => {
    await using shop = await startCachedShop({
      cache: { enabled: false, rules: { 'subgraph:stock': minute, 'subgraph:catalog': minute } },
    });
    for (const stock of [3, 8]) {
      shop.data.stock = stock;
      const { body, headers } = await shop.execute('{ top { stock } }');
      expect(body).toEqual({ data: { top: { stock } } });
      expect(headers.get('cache-control')).toBe('no-store');
    }
  });
});
