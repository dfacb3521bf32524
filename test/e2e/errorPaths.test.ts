import { afterEach, expect, test } from '@jest/globals';
import { type CannedAnswer, startInlineGateway } from '../harness/inlineGateway.ts';
import { maskedErrorAt } from '../harness/maskedErrorAt.ts';
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

test('a root fetch that fails as a whole is reported at each of its fields, and nowhere else', async () => {
  gateway.subgraph('stock').answerWith(() => broken);
  const { body } = await gateway.execute('{ product { name } warehouse w: warehouse }');
  expect(body).toEqual({
    data: { product: { name: 'name 1' }, warehouse: null, w: null },
    errors: [maskedErrorAt('warehouse'), maskedErrorAt('w')],
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
      errors: expect.arrayContaining([
        maskedErrorAt('product', 'name'),
        maskedErrorAt('other'),
        maskedErrorAt('more'),
      ]),
    });
    expect(body.errors).toHaveLength(3);
  },
);

test('a missing non-null root field makes the data null, with an error at its path', async () => {
  gateway.subgraph('stock').answerWith(() => broken);
  const { body } = await gateway.execute('{ shelves count }');
  expect(body).toEqual({ data: null, errors: [maskedErrorAt('shelves')] });
});

test('the error of a non-null root field that makes the data null is reported at this field only', async () => {
  gateway.subgraph('stock').answerWith(() => ({
    kind: 'json',
    body: { data: null, errors: [{ message: 'no', path: ['shelves'] }] },
  }));
  const { body } = await gateway.execute('{ warehouse shelves }');
  expect(body).toEqual({ data: null, errors: [maskedErrorAt('shelves')] });
});

test('a failed fetch is also the reported cause of fields whose fetches depend on it', async () => {
  gateway.subgraph('stock').answerWith(() => broken);
  const { body } = await gateway.execute('{ product { name cost carrier { name } } }');
  expect(body).toEqual({
    data: { product: { name: 'name 1', cost: null, carrier: null } },
    errors: [maskedErrorAt('product', 'cost'), maskedErrorAt('product', 'carrier')],
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
    errors: [maskedErrorAt('product', 'stock')],
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
    errors: [
      maskedErrorAt('product', 'stock'),
      maskedErrorAt('product', 'weight'),
      maskedErrorAt('other', 'stock'),
    ],
  });
});

test('an error without a path beside complete data is reported once, at the path of the objects', async () => {
  gateway.subgraph('stock').answerWith(() => ({
    kind: 'json',
    body: { data: { _entities: [{ stock: 7 }] }, errors: [{ message: 'deprecated' }] },
  }));
  const { body } = await gateway.execute('{ product { stock } }');
  expect(body).toEqual({ data: { product: { stock: 7 } }, errors: [maskedErrorAt('product')] });
});

test.each(['deferSpec=20220824', 'incrementalSpec=v0.2'] as const)(
  'a failed primary fetch is reported in the deferred payload for the fields that are missing there (%s)',
  async (format) => {
    gateway.subgraph('stock').answerWith(() => broken);
    await using answer = await gateway.executeIncrementally('{ product { stock ... @defer { cost } } }', {
      format,
    });
    const text = (await answer.remaining()).map((payload) => JSON.stringify(payload));
    expect(text[0]).toContain(JSON.stringify([maskedErrorAt('product', 'stock')]));
    expect(text.slice(1).join()).toContain(JSON.stringify([maskedErrorAt('product', 'cost')]));
  },
);

test.each(['deferSpec=20220824', 'incrementalSpec=v0.2'] as const)(
  'an error of a field that a deferred fragment selects again is reported in the first payload only (%s)',
  async (format) => {
    gateway.subgraph('stock').answerWith(() => ({
      kind: 'json',
      body: {
        data: { _entities: [{ stock: null }] },
        errors: [{ message: 'no', path: ['_entities', 0, 'stock'] }],
      },
    }));
    await using answer = await gateway.executeIncrementally(
      '{ product { stock ... @defer { stock name } } }',
      {
        format,
      },
    );
    const [first, ...others] = await answer.remaining();
    expect(first).toMatchObject({ errors: [maskedErrorAt('product', 'stock')] });
    expect(JSON.stringify(others)).toContain('name 1');
    expect(JSON.stringify(others)).not.toContain('errors');
  },
);

test('an error that makes an object of an interface null has the whole path of its field', async () => {
  const { body } = await gateway.execute(
    '{ parts { id ... on Wheel { width: size tyre { size: width } } ... on Screw { size } } }',
  );
  expect(body).toEqual({
    data: { parts: [null, { id: '2', size: 3 }, null] },
    errors: [maskedErrorAt('parts', 0, 'width'), maskedErrorAt('parts', 2, 'tyre', 'size')],
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
        {
          path: [],
          data: { window: { price: null, title: 'a title' } },
          errors: [maskedErrorAt('window', 'price')],
        },
      ],
      hasNext: false,
    },
  ]);
});
