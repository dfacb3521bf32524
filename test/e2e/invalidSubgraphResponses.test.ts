import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { pino } from 'pino';
import { subgraphs } from '../harness/errorGraph.ts';
import { type CannedAnswer, startInlineGateway } from '../harness/inlineGateway.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';

const invalidDataMessage = 'A subgraph returned data that does not fit the supergraph';

const gateway = disposeAfterSuite(await startInlineGateway({ subgraphs }));
afterEach(() => gateway.reset());

function answerOnce(subgraph: string, body: unknown, status = 200): void {
  gateway.subgraph(subgraph).answerWith((): CannedAnswer => ({ kind: 'json', body, status }));
}

describe('a value of the wrong type', () => {
  test.each([
    ['{ plain { int } }', { plain: { int: 'many' } }, ['plain', 'int'], 'a value of type Int'],
    ['{ plain { int } }', { plain: { int: 2 ** 40 } }, ['plain', 'int'], 'a value of type Int'],
    ['{ plain { float } }', { plain: { float: {} } }, ['plain', 'float'], 'a value of type Float'],
    ['{ plain { text } }', { plain: { text: ['x'] } }, ['plain', 'text'], 'a value of type String'],
    ['{ plain { flag } }', { plain: { flag: 'yes' } }, ['plain', 'flag'], 'a value of type Boolean'],
    ['{ plain { id } }', { plain: { id: 1.5 } }, ['plain', 'id'], 'a value of type ID'],
    ['{ plain { plain { int } } }', { plain: { plain: [{ int: 1 }] } }, ['plain', 'plain'], 'an object'],
    ['{ plain { plain { int } } }', { plain: { plain: 'x' } }, ['plain', 'plain'], 'an object'],
    ['{ list: products { name } }', { list: { name: 'x' } }, ['list'], 'a list'],
    ['{ list: products { name } }', { list: 'x' }, ['list'], 'a list'],
  ] as const)('becomes null with an error: %s answered with %j', async (query, data, path, expected) => {
    answerOnce('products', { data });
    const { body } = await gateway.execute(query);
    expect(body.errors).toEqual([
      {
        message: `A subgraph returned an invalid value: expected ${expected}.`,
        path,
        extensions: { code: 'SUBGRAPH_INVALID_RESPONSE' },
      },
    ]);
    expect(
      path.reduce<unknown>((value, key) => (value as Record<string, unknown>)[key], body.data),
    ).toBeNull();
  });

  test('is reported once if the field is non-null', async () => {
    answerOnce('products', { data: { plain: { strictInt: 'many' } } });
    const { body } = await gateway.execute('{ plain { strictInt } }');
    expect(body).toEqual({
      data: { plain: null },
      errors: [expect.objectContaining({ path: ['plain', 'strictInt'] })],
    });
  });

  test('becomes null without an error if the API schema hides it: enum values and types', async () => {
    answerOnce('products', { data: { plain: { kind: 'HIDDEN' }, hit: { __typename: 'Secret', code: 1 } } });
    const { body } = await gateway.execute('{ plain { kind } hit { __typename ... on Plain { int } } }');
    expect(body).toEqual({ data: { plain: { kind: null }, hit: null } });
  });

  const correction = 'Correct how the subgraph resolves the type, or compose the supergraph again.';
  test.each<[string, string, Record<string, unknown>, string]>([
    [
      'no schema has its type',
      '{ hit { __typename ... on Plain { int } } }',
      { hit: { __typename: 'Nothing' } },
      `an object of type Nothing, which the supergraph does not have. ${correction}`,
    ],
    [
      'its type is no member of the union',
      '{ hit { ... on Plain { int } } }',
      { hit: { __typename: 'Maker' } },
      `an object of type Maker, which is no Hit. ${correction}`,
    ],
    [
      'the name of its type is missing',
      '{ hit { ... on Plain { int } } }',
      { hit: { int: 1 } },
      'an object without the name of its type where Hit is expected. The subgraph must answer __typename.',
    ],
    [
      'the name of its type is no name',
      '{ hit { ... on Plain { int } } }',
      { hit: { __typename: 'at 10.0.0.1' } },
      `an object of a type with an invalid name, which the supergraph does not have. ${correction}`,
    ],
    [
      'its interface has no such implementation',
      '{ named { name } }',
      { named: { __typename: 'Plain', name: 'x' } },
      `an object of type Plain, which is no Named. ${correction}`,
    ],
    [
      'no schema has the enum value',
      '{ kind }',
      { kind: 'SEVEN' },
      'the enum value SEVEN, which Kind does not have in the supergraph. Correct the subgraph, or compose the supergraph again.',
    ],
    ['it is no enum value', '{ kind }', { kind: 7 }, 'an invalid value: expected a value of type Kind.'],
  ])('becomes null with an error if %s', async (_, query, data, message) => {
    answerOnce('products', { data });
    const { body } = await gateway.execute(query);
    const [name = ''] = Object.keys(data);
    expect(body).toEqual({
      data: { [name]: null },
      errors: [
        {
          message: `A subgraph returned ${message}`,
          path: [name],
          extensions: { code: 'SUBGRAPH_INVALID_RESPONSE' },
        },
      ],
    });
  });

  test('of an unknown type is reported once at a non-null path, and not beside an error of the subgraph', async () => {
    const query = '{ strictHits { __typename ... on Plain { int } } }';
    answerOnce('products', {
      data: { strictHits: [{ __typename: 'Plain', int: 1 }, { __typename: 'Nothing' }] },
    });
    expect((await gateway.execute(query)).body).toEqual({
      data: { strictHits: null },
      errors: [
        expect.objectContaining({
          path: ['strictHits', 1],
          message: expect.stringContaining('an object of type Nothing'),
        }),
      ],
    });
    answerOnce('products', {
      data: { strictHits: [{ __typename: 'Nothing' }] },
      errors: [{ message: 'Lost.', path: ['strictHits', 0] }],
    });
    expect((await gateway.execute(query)).body).toEqual({
      data: { strictHits: null },
      errors: [expect.objectContaining({ extensions: { code: 'SUBGRAPH_ERROR' } })],
    });
  });

  test('of an unknown type is reported with its subgraph if `exposeSubgraphs` is on, in deferred parts too', async () => {
    await using own = await startInlineGateway({
      subgraphs,
      config: { security: { exposeSubgraphs: true } },
    });
    own.subgraph('stock').answerWith(() => ({
      kind: 'json',
      body: { data: { _entities: [{ __typename: 'Product', found: { __typename: 'Nothing' } }] } },
    }));
    const { body } = await own.execute('{ p: product { found: near { ... on Product { name } } } }');
    const error = {
      message: expect.stringContaining('an object of type Nothing'),
      path: ['p', 'found'],
      extensions: { code: 'SUBGRAPH_INVALID_RESPONSE', subgraph: 'stock' },
    };
    expect(body).toMatchObject({ data: { p: { found: null } }, errors: [error] });
    await using answer = await own.executeIncrementally(
      '{ p: product { ... @defer { found: near { ... on Product { name } } } } }',
    );
    const payloads = (await answer.remaining()) as { incremental?: { errors?: unknown }[] }[];
    expect(payloads.flatMap(({ incremental = [] }) => incremental.map(({ errors }) => errors))).toEqual([
      [error],
    ]);
  });
});

describe('an invalid response of a subgraph', () => {
  const invalid = 'SUBGRAPH_INVALID_RESPONSE';
  test.each<[string, CannedAnswer, string]>([
    ['too few entities', { kind: 'json', body: { data: { _entities: [] } } }, invalid],
    ['too many entities', { kind: 'json', body: { data: { _entities: [{}, {}, {}] } } }, invalid],
    ['no list of entities', { kind: 'json', body: { data: { _entities: {} } } }, invalid],
    ['no entities at all', { kind: 'json', body: { data: {} } }, invalid],
    ['no GraphQL', { kind: 'json', body: [] }, invalid],
    ['a reset connection', { kind: 'reset' }, 'SUBGRAPH_UNREACHABLE'],
    ['an error of a proxy', { kind: 'json', body: { oops: true }, status: 503 }, 'SUBGRAPH_UNREACHABLE'],
  ])('becomes an error with a code and without internal details: %s', async (_, answer, code) => {
    gateway.subgraph('stock').answerWith(() => answer);
    const { body } = await gateway.execute('{ product { name stock } }');
    expect(body).toEqual({
      data: { product: { name: 'Pan', stock: null } },
      errors: [
        {
          message: expect.any(String),
          path: ['product', 'stock'],
          extensions: expect.objectContaining({ code }),
        },
      ],
    });
    expect(JSON.stringify(body)).not.toMatch(/127\.0\.0\.1|ECONN|node_modules|stack|_entities/);
  });

  test.each<[string, CannedAnswer, string]>([
    [
      'too few entities',
      { kind: 'json', body: { data: { _entities: [] } } },
      '_entities: 0 for 1 representations',
    ],
    ['no list of entities', { kind: 'json', body: { data: {} } }, '_entities: no list'],
    [
      'no object',
      { kind: 'json', body: { data: { _entities: ['x'] } } },
      'an element of _entities is no object',
    ],
  ])('says with `exposeSubgraphErrors` what is wrong: %s', async (_, answer, problem) => {
    await using own = await startInlineGateway({
      subgraphs,
      config: { security: { exposeSubgraphErrors: true } },
    });
    own.subgraph('stock').answerWith(() => answer);
    const { body } = await own.execute('{ product { name stock } }');
    expect(body).toMatchObject({
      errors: [{ message: expect.stringContaining(`Cause: ${problem}`), extensions: { code: invalid } }],
    });
  });

  test('with data that does not fit the supergraph is logged once with the subgraph, the problem and the path', async () => {
    const lines: Record<string, unknown>[] = [];
    await using own = await startInlineGateway({
      subgraphs,
      dependencies: { logger: pino({ level: 'warn' }, { write: (line) => lines.push(JSON.parse(line)) }) },
    });
    own.subgraph('stock').answerWith(() => ({ kind: 'json', body: { data: { _entities: [] } } }));
    await own.execute('{ product { stock } }');
    await own.execute('{ product { id stock } }');
    own.subgraph('products').answerWith(() => ({ kind: 'json', body: { data: { plain: { p: 'x' } } } }));
    await own.execute('{ plain { p: int } }');
    expect(lines.filter(({ msg }) => msg === invalidDataMessage)).toEqual([
      expect.objectContaining({ subgraph: 'stock', message: '_entities: 0 for 1 representations' }),
      expect.objectContaining({
        subgraph: 'products',
        message: 'A subgraph returned an invalid value: expected a value of type Int. At: plain.p',
      }),
    ]);
  });

  test.each([
    ['attempt', { attempt: '50ms' }, 'SUBGRAPH_TIMEOUT'],
    ['deadline', { attempt: '600ms', deadline: '600ms' }, 'DEADLINE_EXCEEDED'],
  ])('that misses the %s timeout becomes the error %j', async (_, timeouts, code) => {
    await using own = await startInlineGateway({
      subgraphs,
      config: { subgraphs: { stock: { timeouts } } },
    });
    own.subgraph('stock').answerWith(() => ({ kind: 'hang' }));
    const { body } = await own.execute('{ product { name stock } }');
    expect(body).toEqual({
      data: { product: { name: 'Pan', stock: null } },
      errors: [{ message: expect.any(String), path: ['product', 'stock'], extensions: { code } }],
    });
  });
});

test('a small response beyond limits.responseSize is null, with an error that names the limit', async () => {
  const allowed = 1_024;
  await using own = await startInlineGateway({ subgraphs, config: { limits: { responseSize: allowed } } });
  const execute = async (dataBytes: number) => {
    const name = 'x'.repeat(dataBytes - '{"product":{"name":""}}'.length);
    own.subgraph('products').answerWith(() => ({
      kind: 'json',
      body: { data: { product: { __typename: 'Product', id: '1', name } } },
    }));
    return (await own.execute('{ product { name } }')).body;
  };
  expect(await execute(allowed)).toEqual({ data: { product: { name: expect.any(String) } } });
  expect(await execute(allowed + 1)).toEqual({
    data: null,
    errors: [
      {
        message: expect.stringContaining('(limits.responseSize)'),
        extensions: { code: 'OPERATION_TOO_COMPLEX', limit: 'responseSize', allowed },
      },
    ],
  });
});

describe('for any response of a subgraph', () => {
  const key = fc.constantFrom(
    'data',
    'errors',
    '_entities',
    '_e0',
    '_e1',
    'product',
    'products',
    'stock',
    'shelf',
    'parts',
    'code',
    '__typename',
    '__proto__',
    'constructor',
    'id',
    'message',
    'path',
    'extensions',
    'row',
  );
  const value = fc.letrec((tie) => ({
    any: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom<unknown>(null, 0, -1, 1.5, true, '', 'x', 'Product', 'Part', '_entities', 'stock'),
      fc.array(tie('any'), { maxLength: 4 }),
      fc.dictionary(key, tie('any'), { maxKeys: 5, noNullPrototype: true }),
    ),
  })).any;
  const entity = fc.dictionary(key, value, { noNullPrototype: true });
  const error = fc.record({
    message: fc.oneof(fc.constant('m'), value),
    path: fc.oneof(fc.array(fc.oneof(key, fc.integer({ min: -2, max: 4 }))), value),
  });
  const body = fc.oneof(
    value,
    fc.record({ data: value, errors: value }),
    fc.record(
      {
        data: fc.oneof(
          fc.record({ _entities: fc.array(fc.oneof(entity, value), { minLength: 1, maxLength: 3 }) }),
          fc.record({ product: fc.oneof(entity, value), products: fc.array(fc.oneof(entity, value)) }),
        ),
        errors: fc.array(error, { maxLength: 3 }),
      },
      { requiredKeys: ['data'] },
    ),
  );
  const query = `{ product { name stock shelf { row } parts { code } maker { rank } } products { name stock } }`;
  const deferredQuery =
    '{ product { name ... @defer { stock shelf { row } } } products { name ... @defer { parts { code } } } }';

  test('the client gets a response with the types of the schema', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(body, { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        async (bodies, isRoot) => {
          let next = 0;
          const answer = (): CannedAnswer => ({ kind: 'json', body: bodies[next++ % bodies.length] });
          gateway.subgraph('stock').answerWith(answer);
          gateway.subgraph('products').answerWith(isRoot ? answer : undefined);
          const got = await gateway.execute(query);
          expect(got.status).toBe(200);
          expectTypes(got.body.data);
          await using deferred = await gateway.executeIncrementally(deferredQuery);
          const payloads = (await deferred.remaining()) as { hasNext: boolean }[];
          expect(payloads.map(({ hasNext }) => hasNext)).toEqual(
            payloads.map((_, n) => n < payloads.length - 1),
          );
        },
      ),
      { numRuns: 150 },
    );
  });

  function expectTypes(data: unknown): void {
    const product = (data as { product: Record<string, unknown> | null } | null)?.product ?? null;
    if (product === null) return;
    expect(Object.keys(product)).toEqual(['name', 'stock', 'shelf', 'parts', 'maker']);
    const { name, stock, shelf, parts } = product;
    expect(name === null || typeof name === 'string').toBe(true);
    expect(stock === null || Number.isInteger(stock)).toBe(true);
    expect(shelf === null || Number.isInteger((shelf as { row: unknown }).row)).toBe(true);
    expect(parts === null || Array.isArray(parts)).toBe(true);
  }
});
