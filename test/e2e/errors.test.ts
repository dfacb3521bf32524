import { afterEach, describe, expect, test } from '@jest/globals';
import { pino } from 'pino';
import { subgraphs } from '../harness/errorGraph.ts';
import {
  type CannedAnswer,
  type InlineSubgraph,
  type SubgraphCall,
  startInlineGateway,
} from '../harness/inlineGateway.ts';
import { maskedError, maskedErrorAt } from '../harness/maskedErrorAt.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';

const invalidDataMessage = 'A subgraph returned data that does not fit the supergraph';

const gateway = disposeAfterSuite(await startInlineGateway({ subgraphs }));
afterEach(() => gateway.reset());

function answerOnce(subgraph: string, body: unknown, status = 200): void {
  gateway.subgraph(subgraph).answerWith((): CannedAnswer => ({ kind: 'json', body, status }));
}

describe('an error of a subgraph is reported', () => {
  test("at the path in the client's operation: aliases, list indices, and every position of the entity", async () => {
    const { body } = await gateway.execute('{ all: products { name inStock: stock } }');
    expect(body).toEqual({
      data: {
        all: [
          { name: 'n1', inStock: null },
          { name: 'n2', inStock: 5 },
          { name: 'n1', inStock: null },
        ],
      },
      errors: [maskedErrorAt('all', 0, 'inStock'), maskedErrorAt('all', 2, 'inStock')],
    });
  });

  test('at each path at which an operation selects the same entity', async () => {
    const { body } = await gateway.execute('{ product { stock } products { stock } }');
    expect(body).toEqual({
      data: { product: { stock: null }, products: [{ stock: null }, { stock: 5 }, { stock: null }] },
      errors: expect.arrayContaining([
        maskedErrorAt('product', 'stock'),
        maskedErrorAt('products', 0, 'stock'),
        maskedErrorAt('products', 2, 'stock'),
      ]),
    });
    expect(body.errors).toHaveLength(3);
  });

  test.each([
    ['{ product { name sure } }', { product: null }, [['product', 'sure']]],
    ['{ strict { name sure } }', null, [['strict', 'sure']]],
    [
      '{ products { sure } }',
      { products: [null, { sure: 7 }, null] },
      [
        ['products', 0, 'sure'],
        ['products', 2, 'sure'],
      ],
    ],
    ['{ allOrNone { sure } }', { allOrNone: null }, [['allOrNone', 0, 'sure']]],
    [
      '{ grid { sure } }',
      { grid: [null, null] },
      [
        ['grid', 0, 0, 'sure'],
        ['grid', 1, 1, 'sure'],
      ],
    ],
  ] as const)(
    'at a non-null field, and makes the nearest nullable parent null: %s',
    async (query, data, paths) => {
      const { body } = await gateway.execute(query);
      expect(body).toEqual({ data, errors: paths.map((path) => maskedErrorAt(...path)) });
    },
  );

  test('at every field of a fetch that fails as a whole, while other fields keep their data', async () => {
    answerOnce('stock', { data: null, errors: [{ message: 'all is lost' }] });
    const { body } = await gateway.execute('{ products { name stock } plain { int } }');
    expect(body).toEqual({
      data: {
        products: [
          { name: 'n1', stock: null },
          { name: 'n2', stock: null },
          { name: 'n1', stock: null },
        ],
        plain: { int: 1 },
      },
      errors: [0, 1, 2].map((index) => maskedErrorAt('products', index, 'stock')),
    });
  });
});

describe('a null for a non-null field', () => {
  test.each([
    ['{ product { shelf { row } } }', { product: { shelf: null } }, 'Shelf.row', ['product', 'shelf', 'row']],
    [
      '{ product { parts { code } } }',
      { product: { parts: [{ code: 1 }, null] } },
      'Part.code',
      ['product', 'parts', 1, 'code'],
    ],
    [
      '{ product { partsSure { code } } }',
      { product: { partsSure: null } },
      'Part.code',
      ['product', 'partsSure', 1, 'code'],
    ],
    [
      '{ product { maker { rank } } }',
      { product: { maker: null } },
      'Maker.rank',
      ['product', 'maker', 'rank'],
    ],
    ['{ w: weather product { name } }', null, 'Query.weather', ['w']],
  ])('makes the nearest nullable parent null: %s', async (query, data, field, path) => {
    // The subgraph responds without an error of its own, as lenient servers do.
    gateway
      .subgraph('stock')
      .answerWith(({ query: received }) => ({ kind: 'json', body: { data: lenientData(received) } }));
    const { body } = await gateway.execute(query);
    expect(body).toEqual({
      data,
      errors: [
        {
          message: `Cannot return null for non-nullable field ${field}.`,
          path,
          extensions: { code: 'SUBGRAPH_INVALID_RESPONSE' },
        },
      ],
    });
  });

  test.each([
    ['that did not find the entity', 'sure', 'product.sure'],
    ['that left out an input of the fetch, not to the one of the field', 'fee', 'product.stock'],
  ])('is attributed to the subgraph %s, for clients and in the log', async (_, field, source) => {
    const query = `{ product { ${field} } }`;
    const { body, lines } = await executeLogged(query, { stock: { _entities: [null] } });
    const message = `Cannot return null for non-nullable field Product.${field}.`;
    expect(body).toMatchObject({ data: { product: null } });
    expect(body.errors).toEqual([
      {
        message,
        path: ['product', field],
        extensions: { code: 'SUBGRAPH_INVALID_RESPONSE', subgraph: 'stock' },
      },
    ]);
    expect(lines).toEqual([
      expect.objectContaining({ subgraph: 'stock', message: `${message} At: ${source}` }),
    ]);
  });

  test('is logged for each subgraph that returned it', async () => {
    const item = 'type Item @shareable { size: Int! }';
    const graph = [
      { name: 'one', sdl: `type Query { a: Item b: Item } ${item}` },
      { name: 'two', sdl: `type Query { c: Item } ${item}` },
    ];
    const none = { size: null };
    const answers = { one: { a: none, b: none }, two: { c: none } };
    const { body, lines } = await executeLogged('{ a { size } b { size } c { size } }', answers, graph);
    expect(body.errors).toHaveLength(3);
    expect(lines.map(({ subgraph }) => subgraph)).toEqual(['one', 'two']);
  });

  test('is no fault of a subgraph if it returned a value that the API schema hides', async () => {
    const { body, lines } = await executeLogged('{ plain { strictKind } }', {
      products: { plain: { strictKind: 'HIDDEN' } },
    });
    expect(body).toMatchObject({
      data: { plain: null },
      errors: [{ extensions: { code: 'INTERNAL_SERVER_ERROR' } }],
    });
    expect(lines).toEqual([]);
  });

  test('is neither reported nor logged beside the error of the subgraph', async () => {
    const { body, lines } = await executeLogged('{ product { sure } }');
    expect(body.errors).toEqual([expect.objectContaining({ message: maskedError.message })]);
    expect(lines).toEqual([]);
  });

  /** `lines`: those about data that does not fit the supergraph. */
  async function executeLogged(
    query: string,
    answers: Record<string, unknown> = {},
    graph: readonly InlineSubgraph[] = subgraphs,
  ) {
    const lines: Record<string, unknown>[] = [];
    await using own = await startInlineGateway({
      subgraphs: graph,
      config: { security: { exposeSubgraphs: true } },
      dependencies: { logger: pino({ level: 'warn' }, { write: (line) => lines.push(JSON.parse(line)) }) },
    });
    for (const [subgraph, data] of Object.entries(answers))
      own.subgraph(subgraph).answerWith(() => ({ kind: 'json', body: { data } }));
    const { body } = await own.execute(query);
    return { body, lines: lines.filter(({ msg }) => msg === invalidDataMessage) };
  }

  function lenientData(received: string): unknown {
    if (received.includes('weather')) return { weather: null };
    const parts = [{ code: 1 }, { code: null }];
    return { _entities: [{ shelf: { row: null }, parts, partsSure: parts, rank: null }] };
  }
});

describe('the message and extensions that a client sees of a subgraph error', () => {
  test.each([
    ['a whole fetch', undefined],
    ['a field', ['_entities', 0, 'stock']],
  ])('count for limits.responseSize at each path: the error of %s', async (_, path) => {
    await using own = await startInlineGateway({
      subgraphs,
      config: { security: { exposeSubgraphErrors: true }, limits: { responseSize: '50KB' } },
    });
    const query = '{ products { stock } more: products { stock } again: products { stock } }';
    const answer = (length: number) =>
      own.subgraph('stock').answerWith(() => ({
        kind: 'json',
        body: { data: null, errors: [{ message: 'x'.repeat(length), path }] },
      }));
    answer(1_000);
    expect((await own.execute(query)).body.errors).toHaveLength(9);
    answer(10_000);
    expect((await own.execute(query)).body).toMatchObject({
      data: null,
      errors: [{ extensions: { code: 'OPERATION_TOO_COMPLEX', limit: 'responseSize' } }],
    });
  });

  test('are left out beyond 100000 errors, which an object that occurs many times multiplies', async () => {
    const count = 400;
    gateway.subgraph('products').answerWith(() => ({
      kind: 'json',
      body: { data: { products: Array.from({ length: count }, () => ({ __typename: 'Product', id: '9' })) } },
    }));
    const path = (index: number) => ['_entities', 0, 'parts', index, 'code'];
    gateway.subgraph('stock').answerWith(() => ({
      kind: 'json',
      body: {
        data: { _entities: [{ parts: Array.from({ length: count }, () => null) }] },
        errors: Array.from({ length: count }, (_, index) => ({ message: 'broken', path: path(index) })),
      },
    }));
    const { body } = await gateway.execute('{ products { parts { code } } }');
    expect(body.data).toMatchObject({ products: { length: count } });
    expect(body.errors).toHaveLength(100_001);
    expect(body.errors?.at(-1)).toMatchObject({
      message: expect.stringContaining('more than 100000 errors'),
      path: ['products'],
      extensions: { code: 'OPERATION_TOO_COMPLEX' },
    });
  });

  test.each([
    [
      { exposeSubgraphErrors: true },
      { message: 'database at 10.0.0.1 is down', extensions: { code: 'SUBGRAPH_ERROR' } },
    ],
    [
      { exposeSubgraphs: true },
      { message: maskedError.message, extensions: { code: 'SUBGRAPH_ERROR', subgraph: 'stock' } },
    ],
    [{}, maskedError],
  ])('with security: %j', async (security, shown) => {
    await using own = await startInlineGateway({ subgraphs, config: { security } });
    const { body } = await own.execute('{ product { stock } }');
    expect(body).toEqual({
      data: { product: { stock: null } },
      errors: [{ ...shown, path: ['product', 'stock'] }],
      ...('exposeSubgraphs' in security
        ? { extensions: { tributary: expect.objectContaining({ cost: 1, actualCost: 1 }) } }
        : {}),
    });
  });
});

describe('a mutation', () => {
  const normalizedQueries = (calls: readonly SubgraphCall[]): string[] =>
    calls.map(({ query }) => query.replaceAll(/\s/g, ''));

  test('continues after a nullable root field has failed', async () => {
    const { body } = await gateway.execute(
      'mutation { a: nullable(n: 1) b: nullable(n: 2) c: nullable(n: 3) }',
    );
    expect(body).toEqual({ data: { a: 1, b: null, c: 3 }, errors: [maskedErrorAt('b')] });
    expect(normalizedQueries(gateway.subgraph('products').calls)).toHaveLength(1);
  });

  test('continues in another subgraph after a fetch has failed as a whole', async () => {
    gateway.subgraph('products').answerWith(() => ({ kind: 'reset' }));
    const { body } = await gateway.execute('mutation { a: count(n: 1) b: nullable(n: 2) c: count(n: 3) }');
    expect(body).toEqual({
      data: { a: 1, b: null, c: 3 },
      errors: [expect.objectContaining({ extensions: { code: 'SUBGRAPH_UNREACHABLE' } })],
    });
    // The gateway cannot know whether the subgraph executed the mutation, and never sends it again.
    expect(gateway.subgraph('products').calls).toHaveLength(1);
  });

  test('has null as its data when a non-null root field has failed', async () => {
    const { body } = await gateway.execute('mutation { a: nullable(n: 1) strictly }');
    expect(body).toEqual({ data: null, errors: [maskedErrorAt('strictly')] });
  });
});
