import { afterEach, describe, expect, test } from '@jest/globals';
import { type SubgraphCall, startInlineGateway } from '../harness/inlineGateway.ts';
import { mergePayloads } from '../harness/rawHttp.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';

const products = ['1', '2'].map((id) => ({ id, name: `n${id}` }));

const subgraphs = [
  {
    name: 'products',
    sdl: `
      type Query { product(id: ID!): Product products: [Product!]! people: [Person!]! pages: [Page!]! }
      type Mutation { rename(id: ID!, name: String!): Product }
      type Product @key(fields: "id") { id: ID! name: String }
      type Person @key(fields: "id") { id: ID! favourite: Product }
      type Page { first: Product person: Person }
    `,
    resolvers: {
      Query: {
        product: (_: never, { id }: never) => products.find((product) => product.id === id),
        products: () => products,
        people: () => [
          { id: 'a', favourite: { id: '1' } },
          { id: 'b', favourite: { id: '3' } },
        ],
        pages: () => [
          { first: { id: '1' }, person: { id: 'a' } },
          { first: { id: '4' }, person: { id: 'c' } },
        ],
      },
      Mutation: { rename: (_: never, { id, name }: never) => ({ id, name }) },
    },
  },
  {
    name: 'details',
    sdl: `
      type Query { setting: String }
      type Mutation { mark(n: Int): Int }
      type Product @key(fields: "id") {
        id: ID!
        price(currency: String = "EUR"): Int
        vendor: Vendor
        related: [Product!]
      }
      type Person @key(fields: "id") { id: ID! nick(loud: Boolean = false): String }
      type Vendor @key(fields: "id") { id: ID! town: String }
    `,
    resolvers: {
      Product: {
        price: ({ id }: never, { currency }: never) => Number(id) * (currency === 'EUR' ? 10 : 11),
        vendor: ({ id }: never) => ({ id: `v${id}`, town: 'Ulm' }),
        related: () => [{ id: '1' }, { id: '2' }],
      },
      Person: { nick: ({ id }: never, { loud }: never) => `${id}${loud ? '!' : ''}` },
      Mutation: { mark: (_: never, { n }: never) => n },
    },
  },
  {
    name: 'vendors',
    sdl: `type Query { other: Int } type Vendor @key(fields: "id") { id: ID! name: String logo: Logo bestSeller: Product } type Product @key(fields: "id") { id: ID! } type Logo { url(size: Int): String }`,
    resolvers: {
      Vendor: {
        name: ({ id }: never) => `vendor ${id}`,
        bestSeller: () => ({ id: '1' }),
        logo: ({ id }: never) => ({ id }),
      },
      Logo: { url: ({ id }: never, { size }: never) => `${id}-${size}` },
    },
  },
];

const gateway = disposeAfterSuite(await startInlineGateway({ subgraphs }));
afterEach(() => gateway.reset());

/** A request to a subgraph, without insignificant white space. */
const requestOf = ({ query, variables }: SubgraphCall): unknown => ({
  query: query.replaceAll(/\s+/g, ' ').trim(),
  variables,
});
const representation = (__typename: string, id: string): unknown => ({ __typename, id });

describe('the fetches of one operation', () => {
  test('send equal representations once, also at different paths', async () => {
    const { body } = await gateway.execute(
      '{ products { price } product(id: "1") { price } pages { first { price } } people { favourite { price } } }',
    );
    expect(body).toEqual({
      data: {
        products: [{ price: 10 }, { price: 20 }],
        product: { price: 10 },
        pages: [{ first: { price: 10 } }, { first: { price: 40 } }],
        people: [{ favourite: { price: 10 } }, { favourite: { price: 30 } }],
      },
    });
    const calls = gateway.subgraph('details').calls;
    expect(calls).toHaveLength(1);
    const sent = calls[0]?.variables.representations as unknown[];
    expect(new Set(sent)).toEqual(new Set(['1', '2', '3', '4'].map((id) => representation('Product', id))));
    expect(sent).toHaveLength(4);
  });

  test('do not request an entity again that was fetched before', async () => {
    const { body } = await gateway.execute(
      '{ products { price } product(id: "1") { vendor { bestSeller { price } } } }',
    );
    expect(body).toEqual({
      data: {
        products: [{ price: 10 }, { price: 20 }],
        product: { vendor: { bestSeller: { price: 10 } } },
      },
    });
    expect(gateway.subgraph('details').calls).toHaveLength(1);
  });

  test('give an entity at each of its paths the fields that are selected there', async () => {
    const { body } = await gateway.execute(`{
      product(id: "1") { vendor { name logo { url(size: 1) } } }
      products { vendor { title: name logo { url(size: 2) } } }
      pages { first { vendor { id } } }
    }`);
    expect(body).toEqual({
      data: {
        product: { vendor: { name: 'vendor v1', logo: { url: 'v1-1' } } },
        products: [
          { vendor: { title: 'vendor v1', logo: { url: 'v1-2' } } },
          { vendor: { title: 'vendor v2', logo: { url: 'v2-2' } } },
        ],
        pages: [{ first: { vendor: { id: 'v1' } } }, { first: { vendor: { id: 'v4' } } }],
      },
    });
    expect(gateway.subgraph('details').calls).toHaveLength(1);
  });

  test('to one subgraph that are ready at the same moment are one request with separate variables', async () => {
    const { body } = await gateway.execute(
      'query ($v: String, $loud: Boolean) { products { price(currency: $v) } people { nick(loud: $loud) } }',
      { variables: { v: 'USD', loud: true } },
    );
    expect(body).toEqual({
      data: { products: [{ price: 11 }, { price: 22 }], people: [{ nick: 'a!' }, { nick: 'b!' }] },
    });
    const calls = gateway.subgraph('details').calls;
    expect(calls).toHaveLength(1);
    const { query, variables } = requestOf(calls[0] as SubgraphCall) as { query: string; variables: object };
    expect(query).toMatch(
      /^query \(\$representations_0: \[_Any!\]!, \$(v|loud)_0: (String|Boolean), \$representations_1: \[_Any!\]!, \$(v|loud)_1: (String|Boolean)\) \{ _e0: _entities\(representations: \$representations_0\) \{ .* \} _e1: _entities\(representations: \$representations_1\) \{ .* \} \}$/,
    );
    expect(Object.keys(variables)).toHaveLength(4);
    expect(Object.values(variables)).toEqual(
      expect.arrayContaining([
        ['1', '2'].map((id) => representation('Product', id)),
        'USD',
        ['a', 'b'].map((id) => representation('Person', id)),
        true,
      ]),
    );
  });

  test('are sent separately if one of them fails the whole common request', async () => {
    gateway
      .subgraph('details')
      .answerWith(({ query }) =>
        query.includes('_e1') || query.includes('nick')
          ? { kind: 'json', body: { data: null, errors: [{ message: 'no nick today' }] } }
          : undefined,
      );
    const { body } = await gateway.execute('{ products { price } people { nick } }');
    expect(body).toEqual({
      data: { products: [{ price: 10 }, { price: 20 }], people: [{ nick: null }, { nick: null }] },
      errors: [0, 1].map((index) => expect.objectContaining({ path: ['people', index, 'nick'] })),
    });
    expect(gateway.subgraph('details').calls).toHaveLength(3);
  });

  test('of the first response never share a request with those of a deferred part', async () => {
    const gate = gateway.subgraph('details').hold('Product.vendor');
    await using answer = await gateway.executeIncrementally(
      '{ products { price ... @defer { vendor { town } } } }',
    );
    expect(await answer.next()).toEqual([
      { data: { products: [{ price: 10 }, { price: 20 }] }, hasNext: true },
    ]);
    await gate.waitForArrivals();
    gate.open();
    expect(
      mergePayloads([{ data: { products: [{}, {}] }, hasNext: true }, ...(await answer.remaining())]),
    ).toEqual({
      data: { products: [{ vendor: { town: 'Ulm' } }, { vendor: { town: 'Ulm' } }] },
    });
    expect(gateway.subgraph('details').calls.map(({ query }) => query.includes('_e1'))).toEqual([
      false,
      false,
    ]);
  });
});

test('a fetch waits for a later one to its subgraph once the gateway has seen that it comes, and only if it may', async () => {
  const item = { id: '1' };
  const graph = [
    {
      name: 'items',
      sdl: 'type Query { top: Item } type Item @key(fields: "id") { id: ID! }',
      resolvers: { Query: { top: () => item } },
    },
    {
      name: 'makers',
      sdl: 'type Query { makers: Int } type Item @key(fields: "id") { id: ID! maker: Maker } type Maker @key(fields: "id") { id: ID! }',
      resolvers: { Item: { maker: () => ({ id: 'm' }) } },
    },
    {
      name: 'numbers',
      sdl: 'type Query { numbers: Int } type Item @key(fields: "id") { id: ID! stock: Int } type Maker @key(fields: "id") { id: ID! rating: Int }',
      resolvers: { Item: { stock: () => 7 }, Maker: { rating: () => 9 } },
    },
  ];
  /** Executes the operation until it sends one request to `numbers` instead of two, and returns whether it did. */
  const becomesOne = async (maxWait: string): Promise<boolean> => {
    const own = await startInlineGateway({ subgraphs: graph, config: { batching: { maxWait } } });
    try {
      for (let n = 0; n < 100; n++) {
        own.reset();
        const { body } = await own.execute('{ top { stock maker { rating } } }');
        expect(body).toEqual({ data: { top: { stock: 7, maker: { rating: 9 } } } });
        if (own.subgraph('numbers').calls.length === 1) return true;
      }
      return false;
    } finally {
      await own.close();
    }
  };
  expect(await becomesOne('10s')).toBe(true);
  expect(await becomesOne('0ms')).toBe(false);
});

describe('mutations', () => {
  test('run one after the other, each with its entity fetches', async () => {
    const gate = gateway.subgraph('details').hold('Mutation.mark');
    const answer = gateway.execute(
      'mutation { a: mark(n: 1) b: rename(id: "1", name: "x") { name price } c: mark(n: 2) }',
    );
    await gate.waitForArrivals();
    expect(gateway.subgraph('products').calls).toHaveLength(0);
    gate.open();
    expect((await answer).body).toEqual({ data: { a: 1, b: { name: 'x', price: 10 }, c: 2 } });
    expect(gateway.subgraph('details').calls.map(({ query }) => query.slice(0, 8))).toEqual([
      'mutation',
      expect.stringMatching(/^query/),
      'mutation',
    ]);
  });

  test('fetch entities again after each root field', async () => {
    let price = 0;
    gateway
      .subgraph('details')
      .answerWith(({ query }) =>
        query.includes('price')
          ? { kind: 'json', body: { data: { _entities: [{ price: ++price }] } } }
          : undefined,
      );
    const { body } = await gateway.execute(`mutation {
      a: rename(id: "1", name: "x") { price } m: mark(n: 1) b: rename(id: "1", name: "y") { price }
    }`);
    expect(body).toEqual({ data: { a: { price: 1 }, m: 1, b: { price: 2 } } });
  });
});
