import { afterEach, expect, test } from '@jest/globals';
import { type CannedAnswer, startInlineGateway } from '../harness/inlineGateway.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';

const subgraphs = [
  {
    name: 'products',
    sdl: `
      type Query { product: Product other: Product count: Int! sure: Product! parts: [Part] }
      interface Part { id: ID! }
      type Wheel implements Part { id: ID! size: Int! tyre: Tyre! }
      type Screw implements Part { id: ID! size: Int! }
      type Tyre { width: Int! }
      type Product @key(fields: "id") { id: ID! name: String }
    `,
    resolvers: {
      Query: {
        product: () => ({ id: '1' }),
        other: () => ({ id: '2' }),
        count: () => 2,
        sure: () => ({ id: '1' }),
        parts: () => [
          { __typename: 'Wheel', id: '1', size: null },
          { __typename: 'Screw', id: '2', size: 3 },
          { __typename: 'Wheel', id: '3', size: 4, tyre: { width: null } },
        ],
      },
      Product: { name: ({ id }: { id: string }) => `name ${id}` },
    },
  },
  {
    name: 'stock',
    sdl: `
      type Query { warehouse: String shelves: [String!]! }
      type Product @key(fields: "id") { id: ID! weight: Int stock: Int }
    `,
    resolvers: {
      Query: { warehouse: () => 'north', shelves: () => ['a'] },
      Product: {
        __resolveReference: ({ id }: { id: string }) => (id === '2' ? null : { id, weight: 5, stock: 7 }),
      },
    },
  },
  {
    name: 'shipping',
    sdl: `
      type Product @key(fields: "id") {
        id: ID!
        weight: Int @external
        cost: Int @requires(fields: "weight")
        carrier: Carrier @requires(fields: "weight")
      }
      type Carrier { name: String! }
    `,
    resolvers: {
      Product: {
        __resolveReference: (reference: object) => reference,
        cost: ({ weight }: { weight: number }) => weight * 2,
        carrier: () => ({ name: 'mail' }),
      },
    },
  },
];

const gateway = disposeAfterSuite(await startInlineGateway({ subgraphs }));
afterEach(() => gateway.subgraph('stock').reset());

const broken: CannedAnswer = { kind: 'json', body: { errors: [{ message: 'broken' }] } };
const at = (...path: (string | number)[]) => ({
  message: 'A subgraph answered with an error.',
  path,
  extensions: { code: 'SUBGRAPH_ERROR' },
});

test('a root fetch that fails as a whole is reported at each of its fields, and nowhere else', async () => {
  gateway.subgraph('stock').answerWith(() => broken);
  const { body } = await gateway.execute('{ product { name } warehouse w: warehouse }');
  expect(body).toEqual({
    data: { product: { name: 'name 1' }, warehouse: null, w: null },
    errors: [at('warehouse'), at('w')],
  });
});

test.each([false, true])(
  'an error of one root field that fails the whole fetch is reported once at each of its fields (with a cache: %s)',
  async (isCached) => {
    const rule = { maxAge: '1m' };
    await using own = await startInlineGateway({
      subgraphs,
      config: { cache: isCached ? { rules: { 'Query.product': rule, 'Query.other': rule } } : {} },
    });
    own.subgraph('products').answerWith(() => ({
      kind: 'json',
      body: { data: null, errors: [{ message: 'no', path: ['product', 'name'] }] },
    }));
    const { body } = await own.execute('{ __typename product { name } other { name } more: other { id } }');
    expect(body).toEqual({
      data: { __typename: 'Query', product: null, other: null, more: null },
      errors: expect.arrayContaining([at('product', 'name'), at('other'), at('more')]),
    });
    expect(body.errors).toHaveLength(3);
  },
);

test('a missing non-null root field makes the data null, with an error at its path', async () => {
  gateway.subgraph('stock').answerWith(() => broken);
  const { body } = await gateway.execute('{ shelves count }');
  expect(body).toEqual({ data: null, errors: [at('shelves')] });
});

test('the error of a non-null root field that makes the data null is reported at this field only', async () => {
  gateway.subgraph('stock').answerWith(() => ({
    kind: 'json',
    body: { data: null, errors: [{ message: 'no', path: ['shelves'] }] },
  }));
  const { body } = await gateway.execute('{ warehouse shelves }');
  expect(body).toEqual({ data: null, errors: [at('shelves')] });
});

test('a failed fetch is also the reported cause of fields whose fetches depend on it', async () => {
  gateway.subgraph('stock').answerWith(() => broken);
  const { body } = await gateway.execute('{ product { name cost carrier { name } } }');
  expect(body).toEqual({
    data: { product: { name: 'name 1', cost: null, carrier: null } },
    errors: [at('product', 'cost'), at('product', 'carrier')],
  });
});

test('an entity that does not exist is no failure and does not hide the failure of another fetch', async () => {
  gateway.subgraph('stock').answerWith(() => ({
    kind: 'json',
    body: { data: { _entities: [null, null] }, errors: [{ message: 'no', path: ['_entities', 0] }] },
  }));
  const { body } = await gateway.execute('{ product { id stock } other { id stock } }');
  expect(body).toEqual({
    data: { product: { id: '1', stock: null }, other: { id: '2', stock: null } },
    errors: [at('product', 'stock')],
  });
});

test('an error of one entity that fails the whole fetch is reported at all entities', async () => {
  gateway.subgraph('stock').answerWith(() => ({
    kind: 'json',
    body: { data: null, errors: [{ message: 'no', path: ['_entities', 0, 'stock'] }] },
  }));
  const { body } = await gateway.execute('{ product { id stock weight } other { id stock } }');
  expect(body).toEqual({
    data: { product: { id: '1', stock: null, weight: null }, other: { id: '2', stock: null } },
    errors: [at('product', 'stock'), at('product', 'weight'), at('other', 'stock')],
  });
});

test('an error without a path beside complete data is reported once, at the path of the objects', async () => {
  gateway.subgraph('stock').answerWith(() => ({
    kind: 'json',
    body: { data: { _entities: [{ stock: 7 }] }, errors: [{ message: 'deprecated' }] },
  }));
  const { body } = await gateway.execute('{ product { stock } }');
  expect(body).toEqual({ data: { product: { stock: 7 } }, errors: [at('product')] });
});

test.each(['deferSpec=20220824', 'incrementalSpec=v0.2'] as const)(
  'a failed primary fetch is reported in the deferred payload for the fields that are missing there (%s)',
  async (format) => {
    gateway.subgraph('stock').answerWith(() => broken);
    await using answer = await gateway.executeIncrementally('{ product { stock ... @defer { cost } } }', {
      format,
    });
    const text = (await answer.remaining()).map((payload) => JSON.stringify(payload));
    expect(text[0]).toContain(JSON.stringify([at('product', 'stock')]));
    expect(text.slice(1).join()).toContain(JSON.stringify([at('product', 'cost')]));
  },
);

/** The subgraph `ratings` does not know which of the objects are songs. */
const interfaceObject = [
  {
    name: 'media',
    sdl: `
      type Query { media: [Media!]! }
      union Any = Film | Song
      interface Media @key(fields: "id") { id: ID! }
      type Film implements Media @key(fields: "id") { id: ID! }
      type Song implements Media @key(fields: "id") { id: ID! }
    `,
    resolvers: {
      Query: {
        media: () => [
          { __typename: 'Film', id: 'f' },
          { __typename: 'Song', id: 's' },
        ],
      },
    },
  },
  {
    name: 'ratings',
    sdl: 'type Media @key(fields: "id") @interfaceObject { id: ID! stars: Int length: Int! }',
    resolvers: {
      Media: { stars: () => 5, length: ({ id }: { id: string }) => (id === 's' ? 200 : null) },
    },
  },
];

test('an error of a field that only objects of another type select is reported at the fields that are lost with it', async () => {
  await using graph = await startInlineGateway({ subgraphs: interfaceObject });
  const { body } = await graph.execute('{ media { stars ... on Song { length } } }');
  expect(body).toEqual({
    data: { media: [{ stars: null }, { stars: 5, length: 200 }] },
    errors: [at('media', 0, 'stars')],
  });
  const { body: both } = await graph.execute('{ media { stars length } }');
  expect(both).toEqual({ data: null, errors: [at('media', 0, 'length')] });
});

test.each(['deferSpec=20220824', 'incrementalSpec=v0.2'] as const)(
  'an error of a deferred field is also reported at the other fields of its entity that are lost in earlier payloads (%s)',
  async (format) => {
    await using graph = await startInlineGateway({ subgraphs: interfaceObject });
    // With the fragment on another abstract type, the plan is not split at @defer.
    await using answer = await graph.executeIncrementally(
      '{ media { stars ... on Any { __typename } ... @defer { length } } }',
      { format },
    );
    const [first, ...others] = await answer.remaining();
    expect(first).toMatchObject({
      data: {
        media: [
          { stars: null, __typename: 'Film' },
          { stars: 5, __typename: 'Song' },
        ],
      },
      errors: [at('media', 0, 'stars')],
    });
    expect(JSON.stringify(others)).toContain(JSON.stringify([at('media', 0, 'length')]));
  },
);

test('an error that makes an entity null, but not its object, is reported at all fields that are lost', async () => {
  await using graph = await startInlineGateway({
    subgraphs: [
      {
        name: 'items',
        sdl: 'type Query { item: Item } type Item @key(fields: "id") { id: ID! size: Int @shareable }',
        resolvers: { Query: { item: () => ({ id: '1' }) } },
      },
      {
        name: 'sizes',
        // Not null here, and therefore nullable in the supergraph.
        sdl: 'type Query { other: Item } type Item @key(fields: "id") { id: ID! size: Int! @shareable colour: String }',
        resolvers: {
          Query: { other: () => ({ id: '2' }) },
          Item: { __resolveReference: ({ id }: { id: string }) => ({ id, size: null, colour: 'red' }) },
        },
      },
      {
        name: 'lists',
        sdl: 'type Query { list: [Item!]! } type Item @key(fields: "id", resolvable: false) { id: ID! }',
        resolvers: { Query: { list: () => [{ id: '1' }] } },
      },
    ],
  });
  const { body } = await graph.execute('{ list { id colour size } }');
  expect(graph.subgraph('sizes').calls).toHaveLength(1);
  expect(body).toEqual({
    data: { list: [{ id: '1', colour: null, size: null }] },
    errors: [at('list', 0, 'colour'), at('list', 0, 'size')],
  });
});

test('an error of an input that the client did not select is reported at all fields that are lost with its entity', async () => {
  const reference = (fields: object) => ({
    Item: { __resolveReference: (item: object) => ({ ...item, ...fields }) },
  });
  await using graph = await startInlineGateway({
    subgraphs: [
      {
        name: 'items',
        sdl: 'type Query { item: Item } type Item @key(fields: "id") { id: ID! }',
        resolvers: { Query: { item: () => ({ id: '1' }) } },
      },
      {
        name: 'sizes',
        sdl: 'type Item @key(fields: "id") { id: ID! size: Int! colour: String }',
        resolvers: reference({ size: null, colour: 'red' }),
      },
      {
        name: 'costs',
        sdl: 'type Item @key(fields: "id") { id: ID! size: Int! @external cost: Int @requires(fields: "size") }',
        resolvers: reference({ cost: 1 }),
      },
    ],
  });
  const { body } = await graph.execute('{ item { id colour cost } }');
  expect(body).toEqual({
    data: { item: { id: '1', colour: null, cost: null } },
    errors: [at('item', 'colour'), at('item', 'cost')],
  });
});

test('an entity of which two fields failed, one of them non-null, has one error for each of the two', async () => {
  await using graph = await startInlineGateway({
    subgraphs: [
      {
        name: 'items',
        sdl: 'type Query { item: Item } type Item @key(fields: "id") { id: ID! }',
        resolvers: { Query: { item: () => ({ id: '1' }) } },
      },
      {
        name: 'stock',
        sdl: 'type Item @key(fields: "id") { id: ID! store: String count: Int! sold: Int }',
        resolvers: {
          Item: {
            store: () => {
              throw new Error('No store');
            },
            count: () => null,
            sold: () => 3,
          },
        },
      },
    ],
  });
  const { body } = await graph.execute('{ item { store count sold } }');
  expect(body).toEqual({ data: { item: null }, errors: [at('item', 'store'), at('item', 'count')] });
});

test.each(['deferSpec=20220824', 'incrementalSpec=v0.2'] as const)(
  'a deferred fragment that is null because of one of its fields reports each field that failed once (%s)',
  async (format) => {
    const fail = (field: string) => (): never => {
      throw new Error(`No ${field}`);
    };
    await using graph = await startInlineGateway({
      subgraphs: [
        {
          name: 'items',
          sdl: 'type Query { items: [Item] } type Item @key(fields: "id") { id: ID! }',
          resolvers: { Query: { items: () => [{ id: '1' }] } },
        },
        {
          name: 'stock',
          sdl: 'type Item @key(fields: "id") { id: ID! store: String count: Int! size: Int }',
          resolvers: { Item: { store: fail('store'), count: fail('count'), size: () => 1 } },
        },
        {
          name: 'costs',
          sdl: 'type Item @key(fields: "id") { id: ID! size: Int @external cost: Int @requires(fields: "size") }',
        },
      ],
      config: { security: { exposeSubgraphErrors: true } },
    });
    await using answer = await graph.executeIncrementally(
      '{ items { id ... @defer { cost store count } } }',
      { format },
    );
    const errors = ['store', 'count'].map((field) => ({ ...at('items', 0, field), message: `No ${field}` }));
    expect(JSON.stringify((await answer.remaining()).slice(1))).toContain(
      JSON.stringify(errors.map(({ message, path, extensions }) => ({ message, path, extensions }))),
    );
  },
);

test('an object that has lost an input of a @requires is not sent for it, and objects of other types are', async () => {
  const media = [
    { __typename: 'Film', id: 'f1' },
    { __typename: 'Film', id: 'f2' },
    { __typename: 'Song', id: 's' },
  ];
  const title = ({ id }: { id: string }) => `title of ${id}`;
  await using graph = await startInlineGateway({
    subgraphs: [
      {
        name: 'media',
        sdl: `
          type Query { media: [Media] }
          interface Media @key(fields: "id") { id: ID! }
          type Film implements Media @key(fields: "id") { id: ID! }
          type Song implements Media @key(fields: "id") { id: ID! }
        `,
        resolvers: { Query: { media: () => media } },
      },
      {
        name: 'titles',
        sdl: `
          interface Media @key(fields: "id") { id: ID! title: String length: Int }
          type Film implements Media @key(fields: "id") { id: ID! title: String length: Int! @shareable }
          type Song implements Media @key(fields: "id") { id: ID! title: String length: Int }
        `,
        resolvers: {
          Media: { __resolveReference: ({ id }: { id: string }) => media.find((one) => one.id === id) },
          Film: { title, length: ({ id }: { id: string }) => (id === 'f1' ? null : 7) },
          Song: { title },
        },
      },
      {
        name: 'lengths',
        sdl: 'type Query { film: Film } type Film @key(fields: "id", resolvable: false) { id: ID! length: Int @shareable }',
      },
      {
        name: 'twins',
        sdl: `
          type Media @key(fields: "id") @interfaceObject {
            id: ID!
            shelf: String
            title: String @external
            twin: Media @requires(fields: "title")
          }
        `,
        resolvers: {
          Media: {
            shelf: () => 'A',
            twin: ({ title: own }: { title?: string }) => ({ id: own === undefined ? 'unknown' : 's' }),
          },
        },
      },
    ],
  });
  const { body } = await graph.execute('{ media { shelf ... on Film { length twin { id } } } }');
  expect(body).toEqual({
    data: {
      media: [
        { shelf: 'A', length: null, twin: null },
        { shelf: 'A', length: 7, twin: { id: 's' } },
        { shelf: 'A' },
      ],
    },
    errors: ['length', 'twin'].map((field) => at('media', 0, field)),
  });
});

test('an error that makes an object of an interface null has the whole path of its field', async () => {
  const { body } = await gateway.execute(
    '{ parts { id ... on Wheel { width: size tyre { size: width } } ... on Screw { size } } }',
  );
  expect(body).toEqual({
    data: { parts: [null, { id: '2', size: 3 }, null] },
    errors: [at('parts', 0, 'width'), at('parts', 2, 'tyre', 'size')],
  });
});

test('an error below an interface object has its whole path, if the type arrives after an earlier payload', async () => {
  await using gateway = await startInlineGateway({
    subgraphs: [
      {
        name: 'greetings',
        sdl: 'type Query { greeting: String }',
        resolvers: {
          Query: { greeting: () => 'hello' },
        },
      },
      {
        name: 'media',
        sdl: `
          type Query { media: [Media] }
          interface Media @key(fields: "id") { id: ID! title: String }
          type Book implements Media @key(fields: "id") { id: ID! title: String }
        `,
        resolvers: {
          Media: { __resolveType: () => 'Book', __resolveReference: ({ id }: { id: string }) => ({ id }) },
          Book: { title: () => 'a title' },
        },
      },
      {
        name: 'shops',
        sdl: `
          type Query { window: Media }
          type Media @key(fields: "id") @interfaceObject { id: ID! price: Int }
        `,
        resolvers: {
          Query: { window: () => ({ id: '1' }) },
          Media: {
            price: () => {
              throw new Error('no price');
            },
          },
        },
      },
    ],
  });
  const greeting = gateway.subgraph('greetings').hold('Query.greeting');
  const title = gateway.subgraph('media').hold('Book.title');
  await using answer = await gateway.executeIncrementally(
    '{ greeting ... @defer { window { price ... on Book { title } } } }',
  );
  await title.waitForArrivals();
  greeting.open();
  expect(await answer.next()).toEqual([{ data: { greeting: 'hello' }, hasNext: true }]);
  title.open();
  expect(await answer.remaining()).toEqual([
    {
      incremental: [
        { path: [], data: { window: { price: null, title: 'a title' } }, errors: [at('window', 'price')] },
      ],
      hasNext: false,
    },
  ]);
});
