import { afterEach, describe, expect, test } from '@jest/globals';
import { startInlineGateway } from '../harness/inlineGateway.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';

interface Product {
  readonly id: string;
}

const rate: Readonly<Record<string, number>> = { EUR: 1, USD: 2, GBP: 3 };

interface Priced {
  readonly id: string;
  readonly price?: number;
  readonly size?: { readonly width: string };
  readonly vendors?: readonly { readonly name: string }[];
  readonly parts?: readonly { readonly label: string }[];
}

const shop = [
  {
    name: 'products',
    sdl: `
      enum Currency { EUR USD GBP }
      type Query { product: Product! products: [Product!]! }
      type Product @key(fields: "id") {
        id: ID!
        price(currency: Currency! = EUR): Int
        size(unit: String! = "m"): Size
        parts: [Part!]!
        vendors(first: Int!): [Vendor!]!
        tax: String
      }
      type Vendor @key(fields: "id") { id: ID! }
      type Size { width(round: Int! = 0): String! }
      type Part { label(lang: String!): String! }
    `,
    resolvers: {
      Query: { product: () => ({ id: '1' }), products: () => [{ id: '1' }, { id: '2' }] },
      Product: {
        __resolveReference: ({ id }: Product) => ({ id }),
        price: ({ id }: Product, { currency }: { currency: string }) =>
          Number(id) * 100 + (rate[currency] ?? 0),
        size: ({ id }: Product, { unit }: { unit: string }) => ({ id, unit }),
        parts: ({ id }: Product) => [{ id: `${id}a` }, { id: `${id}b` }],
        vendors: (_: Product, { first }: { first: number }) =>
          ['a', 'b', 'c'].slice(0, first).map((id) => ({ id })),
        tax: ({ id }: Product) => `tax ${id}`,
      },
      Size: {
        width: ({ id, unit }: { id: string; unit: string }, { round }: { round: number }) =>
          `${id} ${unit} ${round}`,
      },
      Part: { label: ({ id }: Product, { lang }: { lang: string }) => `${id} ${lang}` },
    },
  },
  {
    name: 'shipping',
    sdl: `
      enum Currency { EUR USD GBP }
      type Product @key(fields: "id") {
        id: ID!
        price(currency: Currency! = EUR): Int @external
        size(unit: String! = "m"): Size @external
        parts: [Part!]! @external
        vendors(first: Int!): [Vendor!]! @external
        sellers: String @requires(fields: "vendors(first: 2) { name }")
        tax: String @external
        inEuro: String @requires(fields: "price(currency: EUR)")
        inDollar(mark: String! = ""): String @requires(fields: "price(currency: USD) tax")
        byDefault: String @requires(fields: "price")
        box: String @requires(fields: "size(unit: \\"cm\\") { width(round: 1) }")
        crate: String @requires(fields: "size(unit: \\"cm\\") { width(round: 2) }")
        english: String @requires(fields: "parts { label(lang: \\"en\\") }")
        french: String @requires(fields: "parts { label(lang: \\"fr\\") }")
        carrier: String
      }
      type Vendor @key(fields: "id") { id: ID! name: String @external }
      type Size @shareable { width(round: Int! = 0): String! @external }
      type Part @shareable { label(lang: String!): String! @external }
    `,
    resolvers: {
      Product: {
        __resolveReference: (reference: Priced) => reference,
        sellers: ({ vendors = [] }: Priced) => vendors.map(({ name }) => name).join(),
        inEuro: ({ price }: Priced) => `euro ${price}`,
        inDollar: ({ price, tax }: Priced & { tax: string }, { mark }: { mark: string }) =>
          `dollar ${mark}${price} ${tax}`,
        byDefault: ({ price }: Priced) => `default ${price}`,
        box: ({ size }: Priced) => `box ${size?.width}`,
        crate: ({ size }: Priced) => `crate ${size?.width}`,
        english: ({ parts = [] }: Priced) => parts.map(({ label }) => label).join(),
        french: ({ parts = [] }: Priced) => parts.map(({ label }) => label).join(),
        carrier: ({ id }: Priced) => `carrier ${id}`,
      },
    },
  },
  {
    name: 'vendors',
    sdl: 'type Vendor @key(fields: "id") { id: ID! name: String }',
    resolvers: {
      Vendor: { __resolveReference: ({ id }: Product) => ({ id, name: `vendor ${id}` }) },
    },
  },
];

const gateway = await startInlineGateway({
  subgraphs: shop.map((subgraph) => ({
    ...subgraph,
    sdl: `directive @trace(id: ID) on QUERY ${subgraph.sdl}`,
  })),
});
disposeAfterSuite(gateway);
afterEach(() => gateway.subgraph('shipping').reset());

async function dataOf(query: string, variables: Record<string, unknown> = {}): Promise<unknown> {
  const { body } = await gateway.execute(query, { variables });
  expect(body.errors).toBeUndefined();
  return body.data;
}

describe('a field with arguments in a @requires', () => {
  test('is sent in the representation under its own name', async () => {
    expect(await dataOf('{ product { inEuro } }')).toEqual({ product: { inEuro: 'euro 101' } });
  });

  test("has the value for its own arguments, and the client gets the value for the client's arguments", async () => {
    expect(await dataOf('{ product { price(currency: GBP) inEuro } }')).toEqual({
      product: { price: 103, inEuro: 'euro 101' },
    });
    expect(await dataOf('{ product { price: price(currency: USD) byDefault a: price } }')).toEqual({
      product: { price: 102, byDefault: 'default 101', a: 101 },
    });
    expect(
      await dataOf('query ($c: Currency!) { product { price(currency: $c) inDollar size { width } box } }', {
        c: 'EUR',
      }),
    ).toEqual({
      product: { price: 101, inDollar: 'dollar 102 tax 1', size: { width: '1 m 0' }, box: 'box 1 cm 1' },
    });
  });

  test('has a separate value for each field that requires it with different arguments', async () => {
    expect(await dataOf('{ products { inEuro inDollar(mark: "$") byDefault carrier } }')).toEqual({
      products: ['1', '2'].map((id) => ({
        inEuro: `euro ${id}01`,
        inDollar: `dollar $${id}02 tax ${id}`,
        byDefault: `default ${id}01`,
        carrier: `carrier ${id}`,
      })),
    });
  });

  test('may be nested in another one, and in lists', async () => {
    expect(await dataOf('{ product { box crate english french } }')).toEqual({
      product: { box: 'box 1 cm 1', crate: 'crate 1 cm 2', english: '1a en,1b en', french: '1a fr,1b fr' },
    });
  });

  test('may return entities that another subgraph completes', async () => {
    expect(await dataOf('{ product { sellers vendors(first: 1) { name } } }')).toEqual({
      product: { sellers: 'vendor a,vendor b', vendors: [{ name: 'vendor a' }] },
    });
    expect(await dataOf('{ product { sellers } }')).toEqual({ product: { sellers: 'vendor a,vendor b' } });
  });

  test('takes one request to the subgraph for any number of values', async () => {
    await dataOf('{ products { inEuro inDollar byDefault box crate carrier } }');
    expect(gateway.subgraph('shipping').calls).toHaveLength(1);
  });

  test('has a separate value in an operation with a directive', async () => {
    const query = 'query ($id: ID) @trace(id: $id) { product { inEuro inDollar } }';
    expect(await dataOf(query, { id: 'x' })).toEqual({
      product: { inEuro: 'euro 101', inDollar: 'dollar 102 tax 1' },
    });
    expect(gateway.subgraph('shipping').calls).toMatchObject([
      { query: expect.stringContaining('@trace'), variables: { id_0: 'x' } },
    ]);
  });

  test.each(['deferSpec=20220824', 'incrementalSpec=v0.2'] as const)(
    'works in a deferred part (%s)',
    async (format) => {
      await using answer = await gateway.executeIncrementally(
        '{ product { inDollar ... @defer { inEuro price(currency: GBP) crate } } }',
        { format },
      );
      const text = JSON.stringify(await answer.remaining());
      for (const part of ['dollar 102 tax 1', 'euro 101', '"price":103', 'crate 1 cm 2']) {
        expect(text).toContain(part);
      }
      expect(text).not.toContain('errors');
    },
  );

  test('adds no field to the API schema', async () => {
    const { status } = await gateway.execute('{ product { _required0_price } }');
    expect(status).toBe(400);
  });
});

describe('a key with `resolvable: false`', () => {
  test('is not used to return to a subgraph after a @requires', async () => {
    await using other = await startInlineGateway({
      subgraphs: [
        {
          name: 'a',
          sdl: `
            type Query { item: Item! }
            type Item @key(fields: "id", resolvable: false) @key(fields: "code") {
              id: ID!
              code: String!
              weight: Int! @external
              label: String @requires(fields: "weight")
            }
          `,
          resolvers: {
            Query: { item: () => ({ id: '1', code: 'x' }) },
            Item: {
              __resolveReference: (reference: { code?: string; weight?: number }) =>
                reference.code === undefined ? null : reference,
              label: ({ code, weight }: { code: string; weight: number }) => `${code} ${weight}`,
            },
          },
        },
        {
          name: 'b',
          sdl: 'type Item @key(fields: "id") { id: ID! weight: Int! }',
          resolvers: { Item: { __resolveReference: ({ id }: Product) => ({ id, weight: 7 }) } },
        },
      ],
    });
    const { body } = await other.execute('{ item { label } }');
    expect(body).toEqual({ data: { item: { label: 'x 7' } } });
  });
});
