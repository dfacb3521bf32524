import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { IncrementalFormat } from '../../gateway/operation/operationRequest.ts';
import { type InlineGateway, startInlineGateway } from '../harness/inlineGateway.ts';
import { mergePayloads } from '../harness/rawHttp.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';

const products = [
  { __typename: 'Product', id: '1', name: 'Pan', size: { width: 3 } },
  { __typename: 'Product', id: '2', name: 'Pot', size: { width: 4 } },
];
const productOf = ({ id }: { id: string }): unknown => products.find((product) => product.id === id);

const subgraphs = [
  {
    name: 'products',
    sdl: `
      type Query { product(id: ID!): Product products: [Product!]! things: [Thing!]! count: Int }
      type Mutation { rename(id: ID!, name: String!): Product touch: Int }
      interface Thing { name: String }
      type Product implements Thing @key(fields: "id") { id: ID! name: String size: Size }
      type Size { width: Int }
      type Folder implements Thing { name: String }
    `,
    resolvers: {
      Query: {
        product: (_: never, args: never) => productOf(args),
        products: () => products,
        things: () => [products[0], { __typename: 'Folder', name: 'F' }, products[1]],
        count: () => 2,
      },
      Mutation: {
        rename: (_: never, { id, name }: never) => ({ ...(productOf({ id }) as object), name }),
        touch: () => 1,
      },
      Product: { __resolveReference: productOf },
    },
  },
  {
    name: 'reviews',
    sdl: `
      type Query { topReviews: [Review!]! }
      type Review @key(fields: "id") { id: ID! body: String product: Product author: Person }
      type Person @key(fields: "id") { id: ID! }
      type Product @key(fields: "id") {
        id: ID!
        name: String @external
        heading: String @requires(fields: "name")
        reviews: [Review!]
      }
    `,
    resolvers: {
      Query: {
        topReviews: () => [
          { id: 'r1', body: 'good', product: { id: '1' }, author: { id: 'a1' } },
          { id: 'r2', body: 'bad', product: { id: '2' }, author: { id: 'a1' } },
        ],
      },
      Product: {
        heading: ({ name }: never) => `About ${name}`,
        reviews: ({ id }: never) => [{ id: `r${id}`, body: `review of ${id}`, author: { id: `a${id}` } }],
      },
    },
  },
  {
    name: 'slow',
    sdl: `
      type Query { weather: String }
      type Product @key(fields: "id") { id: ID! score: Int! note: String related: [Product!] }
      type Person @key(fields: "id") { id: ID! nick: String friend: Product }
    `,
    resolvers: {
      Query: { weather: () => 'fine' },
      Product: {
        score: ({ id }: never) => Number(id) * 10,
        note: ({ id }: never) => `note ${id}`,
        related: ({ id }: never) => [{ id: id === '1' ? '2' : '1' }],
      },
      Person: { nick: ({ id }: never) => `nick ${id}` },
    },
  },
];

const gateway = disposeAfterSuite(await startInlineGateway({ subgraphs }));
afterEach(() => gateway.reset());

describe('the first payload of a response with @defer', () => {
  test.each<[IncrementalFormat, unknown, unknown]>([
    [
      'deferSpec=20220824',
      { data: { product: { name: 'Pan' } }, hasNext: true },
      {
        incremental: [{ data: { note: 'note 1' }, path: ['product'], label: 'late' }],
        hasNext: false,
      },
    ],
    [
      'incrementalSpec=v0.2',
      {
        data: { product: { name: 'Pan' } },
        pending: [{ id: '0', path: ['product'], label: 'late' }],
        hasNext: true,
      },
      {
        incremental: [{ id: '0', data: { note: 'note 1' } }],
        completed: [{ id: '0' }],
        hasNext: false,
      },
    ],
  ])('is sent before a slow deferred fetch has ended, as %s', async (format, first, last) => {
    const gate = gateway.subgraph('slow').hold('Product.note');
    const query = '{ product(id: "1") { name ... @defer(label: "late") { note } } }';
    await using answer = await gateway.executeIncrementally(query, { format });
    expect(await answer.next()).toEqual([first]);
    gate.open();
    expect(await answer.remaining()).toEqual([last]);
  });

  test('is sent early when the planner cannot split the operation', async () => {
    const gate = gateway.subgraph('reviews').hold('Product.heading');
    await using answer = await gateway.executeIncrementally(
      '{ topReviews { id ... @defer { product { heading } } } }',
    );
    expect(await answer.next()).toEqual([
      { data: { topReviews: [{ id: 'r1' }, { id: 'r2' }] }, hasNext: true },
    ]);
    gate.open();
    expect(await answer.remaining()).toEqual([
      {
        incremental: [
          { data: { product: { heading: 'About Pan' } }, path: ['topReviews', 0] },
          { data: { product: { heading: 'About Pot' } }, path: ['topReviews', 1] },
        ],
        hasNext: false,
      },
    ]);
  });

  test('is batched with the payload of a deferred field that its own fetch provides', async () => {
    await using answer = await gateway.executeIncrementally(
      '{ product(id: "1") { name size { ... @defer { width } } } }',
    );
    expect(await answer.next()).toEqual([
      { data: { product: { name: 'Pan', size: {} } }, hasNext: true },
      { incremental: [{ data: { width: 3 }, path: ['product', 'size'] }], hasNext: false },
    ]);
    expect(await answer.remaining()).toEqual([]);
  });

  test('is the whole response when the data has no deferred place', async () => {
    await using answer = await gateway.executeIncrementally(
      '{ product(id: "none") { name ... @defer { note } } }',
    );
    expect(await answer.remaining()).toEqual([{ data: { product: null }, hasNext: false }]);
  });

  test('is the whole response when @defer(if:) is false', async () => {
    await using answer = await gateway.executeIncrementally(
      'query ($late: Boolean! = false) { product(id: "1") { name ... @defer(if: $late) { note } } }',
    );
    expect(await answer.remaining()).toEqual([
      { data: { product: { name: 'Pan', note: 'note 1' } }, hasNext: false },
    ]);
  });

  test('has the fields of the parent, which the older format repeats in the fragment', async () => {
    const query = '{ product(id: "1") { name ... @defer { name note } } }';
    await using older = await gateway.executeIncrementally(query);
    expect(await older.remaining()).toEqual([
      { data: { product: { name: 'Pan' } }, hasNext: true },
      { incremental: [{ data: { name: 'Pan', note: 'note 1' }, path: ['product'] }], hasNext: false },
    ]);
    await using newer = await gateway.executeIncrementally(query, { format: 'incrementalSpec=v0.2' });
    expect((await newer.remaining()).at(-1)).toEqual({
      incremental: [{ id: '0', data: { note: 'note 1' } }],
      completed: [{ id: '0' }],
      hasNext: false,
    });
  });
});

describe('deferred fragments', () => {
  test('inside each other are delivered from the outside in, even if the inner one is ready first', async () => {
    const gate = gateway.subgraph('slow').hold('Product.note');
    const query = `{ product(id: "1") { name ... @defer(label: "outer") { note
      ... @defer(label: "inner") { reviews { body } } } } }`;
    await using answer = await gateway.executeIncrementally(query, { format: 'incrementalSpec=v0.2' });
    expect(await answer.next()).toEqual([
      {
        data: { product: { name: 'Pan' } },
        pending: [{ id: '0', path: ['product'], label: 'outer' }],
        hasNext: true,
      },
    ]);
    await gate.waitForArrivals();
    await gateway.subgraph('reviews').waitForCalls(1);
    gate.open();
    expect(await answer.remaining()).toEqual([
      {
        pending: [{ id: '1', path: ['product'], label: 'inner' }],
        incremental: [{ id: '0', data: { note: 'note 1' } }],
        completed: [{ id: '0' }],
        hasNext: true,
      },
      {
        incremental: [{ id: '1', data: { reviews: [{ body: 'review of 1' }] } }],
        completed: [{ id: '1' }],
        hasNext: false,
      },
    ]);
  });

  test('that overlap are delivered with all their fields', async () => {
    const query = `{ product(id: "1") {
      ... @defer(label: "a") { name note }
      ... @defer(label: "b") { note reviews { body } } } }`;
    await using answer = await gateway.executeIncrementally(query);
    const payloads = await answer.remaining();
    expect(payloads[0]).toEqual({ data: { product: {} }, hasNext: true });
    expect(mergePayloads(payloads)).toEqual({
      data: { product: { name: 'Pan', note: 'note 1', reviews: [{ body: 'review of 1' }] } },
    });
    const parts = payloads.slice(1).flatMap((payload) => (payload as { incremental: unknown[] }).incremental);
    expect(parts).toEqual(
      expect.arrayContaining([
        { data: { name: 'Pan', note: 'note 1' }, path: ['product'], label: 'a' },
        { data: { note: 'note 1', reviews: [{ body: 'review of 1' }] }, path: ['product'], label: 'b' },
      ]),
    );
    expect(parts).toHaveLength(2);
  });

  test('in a list have one entry for each element', async () => {
    await using answer = await gateway.executeIncrementally('{ products { id ... @defer { note } } }');
    expect(await answer.remaining()).toEqual([
      { data: { products: [{ id: '1' }, { id: '2' }] }, hasNext: true },
      {
        incremental: [
          { data: { note: 'note 1' }, path: ['products', 0] },
          { data: { note: 'note 2' }, path: ['products', 1] },
        ],
        hasNext: false,
      },
    ]);
  });

  test('on one type of an interface are delivered for objects of that type', async () => {
    await using answer = await gateway.executeIncrementally(
      '{ things { name ... on Product @defer { note } } }',
    );
    expect(await answer.remaining()).toEqual([
      { data: { things: [{ name: 'Pan' }, { name: 'F' }, { name: 'Pot' }] }, hasNext: true },
      {
        incremental: [
          { data: { note: 'note 1' }, path: ['things', 0] },
          { data: { note: 'note 2' }, path: ['things', 2] },
        ],
        hasNext: false,
      },
    ]);
  });

  test('of several root fields are delivered as each is ready', async () => {
    const first = gateway.subgraph('slow').hold('Query.weather');
    const second = gateway.subgraph('reviews').hold('Query.topReviews');
    await using answer = await gateway.executeIncrementally(
      '{ count ... @defer(label: "w") { weather } ... @defer(label: "r") { topReviews { id } } }',
    );
    expect(await answer.next()).toEqual([{ data: { count: 2 }, hasNext: true }]);
    second.open();
    expect(await answer.next()).toEqual([
      {
        incremental: [{ data: { topReviews: [{ id: 'r1' }, { id: 'r2' }] }, path: [], label: 'r' }],
        hasNext: true,
      },
    ]);
    first.open();
    expect(await answer.remaining()).toEqual([
      { incremental: [{ data: { weather: 'fine' }, path: [], label: 'w' }], hasNext: false },
    ]);
  });

  test('with all fields of an object leave an empty object in the first payload', async () => {
    const gate = gateway.subgraph('products').hold('Query.count');
    await using answer = await gateway.executeIncrementally('{ ... @defer { count } }');
    expect(await answer.next()).toEqual([{ data: {}, hasNext: true }]);
    gate.open();
    expect(await answer.remaining()).toEqual([
      { incremental: [{ data: { count: 2 }, path: [] }], hasNext: false },
    ]);
  });

  test('below a mutation are delivered after it, and the mutation is sent once', async () => {
    const gate = gateway.subgraph('slow').hold('Product.note');
    await using answer = await gateway.executeIncrementally(
      'mutation { rename(id: "1", name: "Wok") { name ... @defer { note } } }',
    );
    expect(await answer.next()).toEqual([{ data: { rename: { name: 'Wok' } }, hasNext: true }]);
    gate.open();
    expect(await answer.remaining()).toEqual([
      { incremental: [{ data: { note: 'note 1' }, path: ['rename'] }], hasNext: false },
    ]);
    expect(
      gateway.subgraph('products').calls.filter(({ query }) => query.startsWith('mutation')),
    ).toHaveLength(1);
  });

  test('with eight conditions are planned once, for the given values', async () => {
    const names = Array.from({ length: 8 }, (_, n) => `v${n}`);
    const query = `query (${names.map((name) => `$${name}: Boolean!`).join(' ')}) { product(id: "1") { name
      ${names.map((name, n) => `... @defer(if: $${name}) { n${n}: note }`).join(' ')} } }`;
    const variables = Object.fromEntries(names.map((name, n) => [name, n % 2 === 0]));
    await using answer = await gateway.executeIncrementally(query, { variables });
    const payloads = await answer.remaining();
    expect(payloads[0]).toEqual({
      data: { product: { name: 'Pan', n1: 'note 1', n3: 'note 1', n5: 'note 1', n7: 'note 1' } },
      hasNext: true,
    });
    expect(Object.keys((mergePayloads(payloads).data as { product: object }).product)).toHaveLength(9);
  });

  test('are ignored for a client that does not accept incremental delivery', async () => {
    const { body } = await gateway.execute('{ product(id: "1") { name ... @defer { note } } }');
    expect(body).toEqual({ data: { product: { name: 'Pan', note: 'note 1' } } });
  });
});

describe('a deferred fragment that fails', () => {
  const failed = { kind: 'json', body: { errors: [{ message: 'secret words' }], data: null } } as const;
  const masked = {
    message: 'A subgraph answered with an error.',
    path: ['product', 'note'],
    extensions: { code: 'SUBGRAPH_ERROR' },
  };

  test('has its error in its own payload, and no other payload is affected', async () => {
    gateway.subgraph('slow').answerWith(() => failed);
    await using answer = await gateway.executeIncrementally(
      '{ product(id: "1") { name ... @defer { note } } }',
    );
    expect(await answer.remaining()).toEqual([
      { data: { product: { name: 'Pan' } }, hasNext: true },
      { incremental: [{ data: { note: null }, path: ['product'], errors: [masked] }], hasNext: false },
    ]);
  });

  test.each<[IncrementalFormat, unknown]>([
    [
      'deferSpec=20220824',
      {
        incremental: [{ data: null, path: ['product'], errors: [{ ...masked, path: ['product', 'score'] }] }],
        hasNext: false,
      },
    ],
    [
      'incrementalSpec=v0.2',
      { completed: [{ id: '0', errors: [{ ...masked, path: ['product', 'score'] }] }], hasNext: false },
    ],
  ])('is null at its boundary when a non-null field is missing, as %s', async (format, last) => {
    gateway.subgraph('slow').answerWith(() => failed);
    await using answer = await gateway.executeIncrementally(
      '{ product(id: "1") { name ... @defer { score } } }',
      {
        format,
      },
    );
    expect((await answer.remaining()).at(-1)).toEqual(last);
  });

  test.each<IncrementalFormat>(['deferSpec=20220824', 'incrementalSpec=v0.2'])(
    'has the error of a field that the fetch of the first payload provides, as %s',
    async (format) => {
      gateway.subgraph('products').answerWith(() => ({
        kind: 'json',
        body: {
          data: { product: { name: 'Pan', size: { width: null } } },
          errors: [{ message: 'no', path: ['product', 'size', 'width'] }],
        },
      }));
      await using answer = await gateway.executeIncrementally(
        `{ product(id: "1") { name size { ... @defer(label: "a") { width } ... @defer(label: "b") { width } } } }`,
        { format },
      );
      const payloads = await answer.remaining();
      expect(payloads[0]).toMatchObject({ data: { product: { name: 'Pan', size: {} } } });
      expect(payloads[0]).not.toHaveProperty('errors');
      const parts = payloads
        .slice(1)
        .flatMap((payload) => (payload as { incremental: unknown[] }).incremental);
      const part = expect.objectContaining({
        data: { width: null },
        errors: [{ ...masked, path: ['product', 'size', 'width'] }],
      });
      expect(parts).toEqual([part, part]);
    },
  );

  test('has no payload if its error made an object of the first payload null', async () => {
    gateway.subgraph('products').answerWith(() => ({
      kind: 'json',
      body: {
        data: { product: { name: 'Pan', size: null } },
        errors: [{ message: 'no', path: ['product', 'size', 'width'] }],
      },
    }));
    await using answer = await gateway.executeIncrementally(
      '{ product(id: "1") { name size { ... @defer { width } } } }',
    );
    expect(await answer.remaining()).toEqual([
      {
        data: { product: { name: 'Pan', size: null } },
        errors: [{ ...masked, path: ['product', 'size', 'width'] }],
        hasNext: false,
      },
    ]);
  });

  test('fails at the affected objects only', async () => {
    gateway.subgraph('slow').answerWith(() => ({
      kind: 'json',
      body: {
        data: { _entities: [{ score: 1 }, null] },
        errors: [{ message: 'no', path: ['_entities', 1, 'score'] }],
      },
    }));
    await using answer = await gateway.executeIncrementally('{ products { id ... @defer { score } } }');
    expect((await answer.remaining()).at(-1)).toEqual({
      incremental: [
        { data: { score: 1 }, path: ['products', 0] },
        { data: null, path: ['products', 1], errors: [{ ...masked, path: ['products', 1, 'score'] }] },
      ],
      hasNext: false,
    });
  });

  test('repeats an error that the first payload had at the same path', async () => {
    gateway.subgraph('slow').answerWith(() => failed);
    await using answer = await gateway.executeIncrementally(
      '{ product(id: "1") { note ... @defer { reviews { body } again: note } } }',
    );
    const payloads = await answer.remaining();
    expect(payloads[0]).toEqual({ data: { product: { note: null } }, errors: [masked], hasNext: true });
    expect(mergePayloads(payloads).data).toEqual({
      product: { note: null, reviews: [{ body: 'review of 1' }], again: null },
    });
  });

  test('reports the error of one entity at each of its paths', async () => {
    gateway.subgraph('slow').answerWith(() => ({
      kind: 'json',
      body: { data: { _entities: [{ friend: { __typename: 'Product', id: '2', score: null } }] } },
    }));
    await using answer = await gateway.executeIncrementally(
      '{ topReviews { author { id } ... @defer { author { friend { score } } } } }',
    );
    const place = (index: number): unknown => ({
      data: { author: { friend: null } },
      path: ['topReviews', index],
      errors: [expect.objectContaining({ path: ['topReviews', index, 'author', 'friend', 'score'] })],
    });
    expect((await answer.remaining()).at(-1)).toEqual({ incremental: [place(0), place(1)], hasNext: false });
  });

  test('fails as a whole when a null would replace an object that the client has', async () => {
    gateway.subgraph('slow').answerWith(({ query }) => (query.includes('score') ? failed : undefined));
    await using answer = await gateway.executeIncrementally(
      '{ product(id: "1") { related { id } ... @defer { related { score } } } }',
      { format: 'incrementalSpec=v0.2' },
    );
    const payloads = await answer.remaining();
    expect(payloads[0]).toMatchObject({ data: { product: { related: [{ id: '2' }] } } });
    expect(payloads.at(-1)).toEqual({
      completed: [{ id: '0', errors: [{ ...masked, path: ['product', 'related', 0, 'score'] }] }],
      hasNext: false,
    });
  });

  test.each([
    '{ things { ... on Product { related { id } } ... on Product @defer { related { score } } } }',
    '{ things { ... on Product { related { id } } ... @defer { ... on Product { related { score } } } } }',
  ])('fails as a whole when a null would replace an object of a fragment: %s', async (query) => {
    gateway.subgraph('slow').answerWith((call) => (call.query.includes('score') ? failed : undefined));
    await using answer = await gateway.executeIncrementally(query, { format: 'incrementalSpec=v0.2' });
    const payloads = await answer.remaining();
    expect(mergePayloads(payloads).data).toEqual({
      things: [{ related: [{ id: '2' }] }, {}, { related: [{ id: '1' }] }],
    });
  });

  test('is not announced below a list that became null', async () => {
    gateway.subgraph('products').answerWith(() => ({
      kind: 'json',
      body: { data: { product: { __typename: 'Product', id: '1' } } },
    }));
    gateway.subgraph('slow').answerWith(({ query }) =>
      query.includes('related')
        ? {
            kind: 'json',
            body: { data: { _entities: [{ related: [{ __typename: 'Product', id: '2' }, null] }] } },
          }
        : undefined,
    );
    await using answer = await gateway.executeIncrementally(
      '{ product(id: "1") { related { id ... @defer { note } } } }',
      {
        format: 'incrementalSpec=v0.2',
      },
    );
    expect(await answer.remaining()).toEqual([
      {
        data: { product: { related: null } },
        errors: [expect.objectContaining({ path: ['product', 'related', 1] })],
        hasNext: false,
      },
    ]);
  });
});

describe('a deferred fragment beyond limits.responseSize', () => {
  const tooLarge = {
    message: expect.stringContaining('(limits.responseSize)'),
    path: ['product'],
    extensions: { code: 'OPERATION_TOO_COMPLEX', limit: 'responseSize', allowed: 1024 },
  };
  const large = 'x'.repeat(2_000);
  let limited: InlineGateway;
  beforeAll(async () => {
    limited = await startInlineGateway({ subgraphs, config: { limits: { responseSize: '1KB' } } });
  });
  afterAll(() => limited.close());
  afterEach(() => {
    for (const { name } of subgraphs) limited.subgraph(name).reset();
  });

  test.each<[IncrementalFormat, unknown]>([
    ['deferSpec=20220824', { incremental: [{ data: null, path: ['product'], errors: [tooLarge] }] }],
    ['incrementalSpec=v0.2', { completed: [{ id: '0', errors: [tooLarge] }] }],
  ])('has null data and an error after the first payload, as %s', async (format, last) => {
    limited.subgraph('products').answerWith(() => ({
      kind: 'json',
      body: { data: { product: { __typename: 'Product', id: '1', name: large } } },
    }));
    const query = '{ product(id: "1") { id ... @defer { name } } }';
    await using answer = await limited.executeIncrementally(query, { format });
    expect(await answer.remaining()).toEqual([
      expect.objectContaining({ data: { product: { id: '1' } }, hasNext: true }),
      { ...(last as object), hasNext: false },
    ]);
  });

  test('leaves the other fragments as they are', async () => {
    limited.subgraph('slow').answerWith(() => ({
      kind: 'json',
      body: { data: { _entities: [{ note: large }] } },
    }));
    await using answer = await limited.executeIncrementally(
      '{ product(id: "1") { name ... @defer(label: "large") { note } ... @defer(label: "small") { reviews { body } } } }',
    );
    const [first, ...others] = await answer.remaining();
    expect(first).toEqual({ data: { product: { name: 'Pan' } }, hasNext: true });
    const parts = others.flatMap((payload) => (payload as { incremental: unknown[] }).incremental);
    expect(parts).toHaveLength(2);
    expect(parts).toEqual(
      expect.arrayContaining([
        { data: null, path: ['product'], label: 'large', errors: [tooLarge] },
        { data: { reviews: [{ body: 'review of 1' }] }, path: ['product'], label: 'small' },
      ]),
    );
  });
});

test.each(['deferSpec=20220824', 'incrementalSpec=v0.2'] as const)(
  'deferred root fields are fetched from a subgraph whose query type has another name (%s)',
  async (format) => {
    await using gateway = await startInlineGateway({
      subgraphs: [
        {
          name: 'lamps',
          sdl: 'schema { query: query_root } type query_root { lamp: String root: query_root }',
          resolvers: { query_root: { lamp: () => 'bright', root: () => ({}) } },
        },
      ],
    });
    const source = '{ root { __typename ... @defer { lamp } } ... @defer { lamp } }';
    await using answer = await gateway.executeIncrementally(source, { format });
    expect(mergePayloads(await answer.remaining())).toEqual({
      data: { root: { __typename: 'Query', lamp: 'bright' }, lamp: 'bright' },
    });
  },
);
