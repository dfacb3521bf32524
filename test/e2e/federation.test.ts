import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type InlineGateway, startInlineGateway } from '../harness/inlineGateway.ts';

describe('an operation on entities and value types of several subgraphs', () => {
  let gateway: InlineGateway;

  const products = [
    { id: '1', name: 'Pan', description: 'flat', secret: 's1' },
    { id: '2', name: 'Pot', description: 'deep', secret: null },
  ];

  beforeAll(async () => {
    gateway = await startInlineGateway({
      subgraphs: [
        {
          name: 'products',
          sdl: `
            type Query { product(id: ID!): Product products: [Product!]! shelves: [[Product!]!]! }
            type Product @key(fields: "id") {
              id: ID!
              name: String!
              description: String
              secret: String
              size: Size @shareable
              stations: [Station!] @shareable
              vendor: Vendor
            }
            type Vendor { name: String address: Address }
            type Address { city: String zip: String }
            type Size @shareable { width: Int height: Int }
            type Station @shareable { name: String line: Int }
          `,
          resolvers: {
            Query: {
              product: (_: never, { id }: never) => products.find((product) => product.id === id),
              products: () => products,
              shelves: () => [[products[0], products[1]], [], [products[1]]],
            },
            Product: {
              size: () => ({ width: 3, height: 4 }),
              stations: () => [{ name: 'saw' }, { name: 'oven' }],
              vendor: ({ id }: never) => ({ name: 'Acme', address: { city: 'Ulm', zip: `8907${id}` } }),
              __resolveReference: ({ id }: never) => products.find((product) => product.id === id),
            },
          },
        },
        {
          name: 'stock',
          sdl: `
            type Product @key(fields: "id") {
              id: ID!
              secret: String @external
              vendor: Vendor @external
              slow(mark: String = ""): String
              revealed: String @requires(fields: "secret")
              shipping: String @requires(fields: "vendor { name address { zip } }")
              size: Size @shareable
              stations: [Station!] @shareable
              volume: Int!
            }
            type Vendor @external { name: String address: Address }
            type Address @external { zip: String }
            type Size @shareable { width: Int depth: Int }
            type Station @shareable { name: String seconds: Int }
          `,
          resolvers: {
            Product: {
              slow: ({ id }: never, { mark }: never) => `slow ${id}${mark ?? ''}`,
              revealed: ({ secret }: never) => `revealed ${secret}`,
              shipping: ({ vendor }: never) => JSON.stringify(vendor),
              volume: ({ id }: never) => Number(id) * 10,
              size: () => ({ width: null, depth: 5 }),
              stations: () => [{ seconds: 10 }, { seconds: 20 }],
            },
          },
        },
      ],
    });
  });
  afterAll(() => gateway.close());

  test('does not send a client alias as the key of the same name', async () => {
    const { body } = await gateway.execute('{ product(id: "1") { id: description slow } }');
    expect(body).toEqual({ data: { product: { id: 'flat', slow: 'slow 1' } } });
  });

  test("accepts names of Object.prototype's members as aliases", async () => {
    const { body } = await gateway.execute(
      '{ constructor: product(id: "1") { __proto__: name toString: slow hasOwnProperty: id valueOf: volume } }',
    );
    expect(JSON.stringify(body.data)).toBe(
      '{"constructor":{"__proto__":"Pan","toString":"slow 1","hasOwnProperty":"1","valueOf":10}}',
    );
  });

  test('returns separate values for aliases that differ only in the position of an underscore', async () => {
    const { body } = await gateway.execute('{ product(id: "1") { _name: description _description: name } }');
    expect(body).toEqual({ data: { product: { _name: 'flat', _description: 'Pan' } } });
  });

  test('preserves nested lists and completes each element with its own data', async () => {
    const { body } = await gateway.execute('{ shelves { name volume } }');
    const pan = { name: 'Pan', volume: 10 };
    const pot = { name: 'Pot', volume: 20 };
    expect(body).toEqual({ data: { shelves: [[pan, pot], [], [pot]] } });
  });

  test('sends nested selections of @requires as they were returned', async () => {
    const { body } = await gateway.execute('{ product(id: "2") { shipping } }');
    expect(body).toEqual({
      data: { product: { shipping: '{"name":"Acme","address":{"zip":"89072"}}' } },
    });
  });

  test('sends a null input of @requires', async () => {
    const { body } = await gateway.execute('{ products { revealed } }');
    expect(body).toEqual({
      data: { products: [{ revealed: 'revealed s1' }, { revealed: 'revealed null' }] },
    });
  });

  test('merges shared value objects and lists of them from both subgraphs, and null does not overwrite values', async () => {
    const { body } = await gateway.execute(
      '{ product(id: "1") { slow size { width height depth } stations { name line seconds } } }',
    );
    expect(body).toEqual({
      data: {
        product: {
          slow: 'slow 1',
          size: { width: 3, height: 4, depth: 5 },
          stations: [
            { name: 'saw', line: null, seconds: 10 },
            { name: 'oven', line: null, seconds: 20 },
          ],
        },
      },
    });
  });

  test.each(['representations', 'representations_0', '_client_representations', 'toString', '__proto__'])(
    'a variable may be called %s, with a value and without one',
    async (name) => {
      const query = `query ($${name}: String) { product(id: "1") { slow(mark: $${name}) volume } }`;
      const given = await gateway.execute(query, { variables: JSON.parse(`{"${name}":"!"}`) });
      const left = await gateway.execute(query);
      expect([given.body, left.body]).toEqual([
        { data: { product: { slow: 'slow 1!', volume: 10 } } },
        { data: { product: { slow: 'slow 1', volume: 10 } } },
      ]);
    },
  );

  test('sends the default value of a variable to the subgraph', async () => {
    const { body } = await gateway.execute('query ($id: ID! = "2") { product(id: $id) { name } }');
    expect(body).toEqual({ data: { product: { name: 'Pot' } } });
  });

  test('does not send a representation with a missing input', async () => {
    gateway.subgraph('products').answerWith(() => ({
      kind: 'json',
      body: {
        data: {
          products: [
            { __typename: 'Product', id: '1', name: 'Pan' },
            { __typename: 'Product', name: 'nameless' },
          ],
        },
      },
    }));
    try {
      const before = gateway.subgraph('stock').calls.length;
      const { body } = await gateway.execute('{ products { name slow } }');
      expect(body).toEqual({
        data: {
          products: [
            { name: 'Pan', slow: 'slow 1' },
            { name: 'nameless', slow: null },
          ],
        },
      });
      expect(
        gateway
          .subgraph('stock')
          .calls.slice(before)
          .map(({ variables }) => variables),
      ).toEqual([{ representations: [{ __typename: 'Product', id: '1' }] }]);
    } finally {
      gateway.subgraph('products').answerWith(undefined);
    }
  });
});

describe('a fetch from an @interfaceObject', () => {
  let gateway: InlineGateway;

  beforeAll(async () => {
    const media = [
      { __typename: 'Book', id: 'b', title: 'B', pages: 7 },
      { __typename: 'Film', id: 'f', title: 'F', minutes: 90 },
    ];
    gateway = await startInlineGateway({
      subgraphs: [
        {
          name: 'media',
          sdl: `
            type Query { media: [Media!]! }
            interface Media @key(fields: "id") { id: ID! title: String }
            type Book implements Media @key(fields: "id") { id: ID! title: String pages: Int }
            type Film implements Media @key(fields: "id") { id: ID! title: String minutes: Int }
          `,
          resolvers: {
            Query: { media: () => media },
            Media: {
              __resolveReference: ({ id }: never) => media.find((one) => one.id === id),
              __resolveType: ({ __typename }: never) => __typename,
            },
            Book: { __resolveReference: ({ id }: never) => media.find((one) => one.id === id) },
            Film: { __resolveReference: ({ id }: never) => media.find((one) => one.id === id) },
          },
        },
        {
          name: 'ratings',
          sdl: `
            type Query { popular: [Media!]! best: Media }
            type Media @key(fields: "id") @interfaceObject { id: ID! stars: Int }
          `,
          resolvers: {
            Query: { popular: () => [{ id: 'f' }, { id: 'b' }], best: () => ({ id: 'b' }) },
            Media: { stars: ({ id }: never) => (id === 'b' ? 5 : 3) },
          },
        },
      ],
    });
  });
  afterAll(() => gateway.close());

  test('uses the name of the interface', async () => {
    const { body } = await gateway.execute('{ media { __typename stars ... on Book { pages } } }');
    expect(body).toEqual({
      data: {
        media: [
          { __typename: 'Book', stars: 5, pages: 7 },
          { __typename: 'Film', stars: 3 },
        ],
      },
    });
    expect(gateway.subgraph('ratings').calls.at(-1)?.variables).toEqual({
      representations: [
        { __typename: 'Media', id: 'b' },
        { __typename: 'Media', id: 'f' },
      ],
    });
  });

  test('does not determine the runtime type', async () => {
    const { body } = await gateway.execute(
      '{ popular { __typename stars title ... on Film { minutes } } best { __typename stars } }',
    );
    expect(body).toEqual({
      data: {
        popular: [
          { __typename: 'Film', stars: 3, title: 'F', minutes: 90 },
          { __typename: 'Book', stars: 5, title: 'B' },
        ],
        best: { __typename: 'Book', stars: 5 },
      },
    });
  });
});

describe('fields of one name with different types in the members of a union', () => {
  test('are returned under their own name, and so are their errors', async () => {
    await using gateway = await startInlineGateway({
      config: { security: { exposeSubgraphErrors: true } },
      subgraphs: [
        {
          name: 'search',
          sdl: `
            type Query { search: [Hit!]! }
            union Hit = Person | Place
            type Person @shareable { code: String! }
            type Place @shareable { code: String }
          `,
          resolvers: {
            Query: {
              search: () => [
                { __typename: 'Person', code: '4' },
                { __typename: 'Place', code: 'four' },
                { __typename: 'Place', code: 'five' },
              ],
            },
            Place: {
              code: ({ code }: never) => {
                if (code === 'five') throw new Error('no code');
                return code;
              },
            },
          },
        },
        {
          name: 'other',
          sdl: 'type Query { people: [Person] places: [Place] } type Person @shareable { code: String } type Place @shareable { code: String }',
        },
      ],
    });
    const { body } = await gateway.execute('{ search { ... on Person { code } ... on Place { code } } }');
    expect(gateway.subgraph('search').calls[0]?.query).toContain('code__alias_0:code');
    expect(body).toEqual({
      data: { search: [{ code: '4' }, { code: 'four' }, { code: null }] },
      errors: [{ message: 'no code', path: ['search', 2, 'code'], extensions: { code: 'SUBGRAPH_ERROR' } }],
    });
  });
});

describe('a field with @fromContext', () => {
  let gateway: InlineGateway;

  beforeAll(async () => {
    const users = [
      { id: 'u1', locale: 'de', favourite: { id: 'p1' } },
      { id: 'u2', locale: 'en', favourite: { id: 'p1' } },
      { id: 'u3', locale: 'de', favourite: { id: 'p2' } },
    ];
    gateway = await startInlineGateway({
      subgraphs: [
        {
          name: 'users',
          sdl: `
            type Query { users: [User!]! user: User }
            type User @key(fields: "id") @context(name: "user") {
              id: ID! locale: String! favourite: Product badge: Badge
            }
            type Product @key(fields: "id") {
              id: ID!
              blurb(locale: String @fromContext(field: "$user { locale }")): String
            }
            type Badge @key(fields: "id") { id: ID! text(locale: String @fromContext(field: "$user { locale }")): String }
          `,
          resolvers: {
            Query: { users: () => users, user: () => users[0] },
            User: { badge: () => ({ id: 'g' }) },
            Product: { blurb: ({ id }: never, { locale }: never) => `${id} in ${locale}` },
            Badge: { text: ({ id }: never, { locale }: never) => `${id} in ${locale}` },
          },
        },
        {
          name: 'products',
          sdl: `
            type Query { other: Int }
            type Product @key(fields: "id") { id: ID! name: String part: Badge }
            type Badge @key(fields: "id") { id: ID! colour: String }
          `,
          resolvers: {
            Product: { name: ({ id }: never) => `name ${id}`, part: () => ({ id: 'x' }) },
            Badge: { colour: () => 'red' },
          },
        },
      ],
    });
  });
  afterAll(() => gateway.close());

  test('is fetched separately for different values of one entity', async () => {
    const { body } = await gateway.execute('{ users { id favourite { id name blurb } } }');
    expect(body).toEqual({
      data: {
        users: [
          { id: 'u1', favourite: { id: 'p1', name: 'name p1', blurb: 'p1 in de' } },
          { id: 'u2', favourite: { id: 'p1', name: 'name p1', blurb: 'p1 in en' } },
          { id: 'u3', favourite: { id: 'p2', name: 'name p2', blurb: 'p2 in de' } },
        ],
      },
    });
  });

  test('gets the value of its own parent below an entity that several parents share', async () => {
    const { body } = await gateway.execute('{ users { favourite { part { colour text } } } }');
    expect(body).toEqual({
      data: {
        users: [
          { favourite: { part: { colour: 'red', text: 'x in de' } } },
          { favourite: { part: { colour: 'red', text: 'x in en' } } },
          { favourite: { part: { colour: 'red', text: 'x in de' } } },
        ],
      },
    });
  });
});

describe('a field that returns a root type', () => {
  test('is fetched from the root, and its fields are at the position that the client selected', async () => {
    await using gateway = await startInlineGateway({
      subgraphs: [
        {
          name: 'a',
          sdl: 'type Query { here: Int } type Mutation { write: Written } type Written { query: Query done: Boolean }',
          resolvers: {
            Query: { here: () => 1 },
            Mutation: { write: () => ({ done: true, query: {} }) },
          },
        },
        { name: 'b', sdl: 'type Query { there: Int }', resolvers: { Query: { there: () => 2 } } },
      ],
    });
    const { body } = await gateway.execute('mutation { write { done query { here there } } }');
    expect(body).toEqual({ data: { write: { done: true, query: { here: 1, there: 2 } } } });
  });
});

describe('@skip and @include', () => {
  test('are folded on __typename as on any other field', async () => {
    await using gateway = await startInlineGateway({
      subgraphs: [
        {
          name: 'a',
          sdl: 'type Query { thing: Thing } type Thing { n: Int }',
          resolvers: { Query: { thing: () => ({ n: 1 }) } },
        },
        { name: 'b', sdl: 'type Query { there: Int }' },
      ],
    });
    const query =
      'query ($v: Boolean!) { thing { __typename @include(if: $v) n @skip(if: $v) } __typename @skip(if: $v) }';
    const on = await gateway.execute(query, { variables: { v: true } });
    const off = await gateway.execute(query, { variables: { v: false } });
    expect([on.body, off.body]).toEqual([
      { data: { thing: { __typename: 'Thing' } } },
      { data: { thing: { n: 1 }, __typename: 'Query' } },
    ]);
  });
});
