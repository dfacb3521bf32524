import { expect, test } from '@jest/globals';
import { startInlineGateway } from '../harness/inlineGateway.ts';
import { maskedErrorAt } from '../harness/maskedErrorAt.ts';

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
    errors: [maskedErrorAt('media', 0, 'stars')],
  });
  const { body: both } = await graph.execute('{ media { stars length } }');
  expect(both).toEqual({ data: null, errors: [maskedErrorAt('media', 0, 'length')] });
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
      errors: [maskedErrorAt('media', 0, 'stars')],
    });
    expect(JSON.stringify(others)).toContain(JSON.stringify([maskedErrorAt('media', 0, 'length')]));
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
    errors: [maskedErrorAt('list', 0, 'colour'), maskedErrorAt('list', 0, 'size')],
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
    errors: [maskedErrorAt('item', 'colour'), maskedErrorAt('item', 'cost')],
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
  expect(body).toEqual({
    data: { item: null },
    errors: [maskedErrorAt('item', 'store'), maskedErrorAt('item', 'count')],
  });
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
    const errors = ['store', 'count'].map((field) => ({
      ...maskedErrorAt('items', 0, field),
      message: `No ${field}`,
    }));
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
    errors: ['length', 'twin'].map((field) => maskedErrorAt('media', 0, field)),
  });
});
