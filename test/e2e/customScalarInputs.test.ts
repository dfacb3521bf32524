import { beforeEach, describe, expect, test } from '@jest/globals';
import { stripIgnoredCharacters } from 'graphql';
import { startInlineGateway } from '../harness/inlineGateway.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';

const echo = (_: never, args: never): string => JSON.stringify(args);
const gateway = await startInlineGateway({
  config: {
    security: { introspection: true, exposeSubgraphErrors: true },
    enrichment: { mode: 'always', bounds: { max: '1m' }, fields: { 'Order.advice': { budget: '1m' } } },
  },
  subgraphs: [
    {
      name: 'payloads',
      sdl: `
        directive @note(any: Any) on FIELD | INLINE_FRAGMENT
        scalar Any
        input Filter { by: Any = { a: [1, "b"] } must: Any! = [2] plain: Any = "c" }
        enum Sort { ASC DESC }
        type Query {
          payload(any: Any = { a: [1, "b"] }, plain: Int = 3): String
          strict(any: Any! = [[1], { b: 2 }]): String
          list(any: [Any!] = [{ a: 1 }]): String
          filtered(filter: Filter = { by: { d: 4 } }): String
          measure(at: Float, points: [Float!], sort: Sort): String
          order: Order
        }
        type Order @key(fields: "id") { id: ID! price(of: Any): Int @shareable note(any: Any): String }
      `,
      resolvers: {
        Query: {
          payload: echo,
          strict: echo,
          list: echo,
          filtered: echo,
          measure: echo,
          order: () => ({ id: '1' }),
        },
        Order: { price: () => 3, note: echo },
      },
    },
    {
      name: 'taxes',
      sdl: `
        directive @note(any: Any) on FIELD | INLINE_FRAGMENT
        scalar Any
        type Order @key(fields: "id") {
          id: ID!
          price(of: Any): Int @external
          tax: Int @requires(fields: "price(of: [9007199254740993, EUR])")
          advice(any: Any): String
        }
      `,
      resolvers: { Order: { tax: () => 1, advice: echo } },
    },
  ],
});
disposeAfterSuite(gateway);

describe('a list or an object as the default of a custom scalar', () => {
  test('is applied by the subgraph when the client omits the input', async () => {
    const { body } = await gateway.execute(
      'query ($none: Any) { payload strict list filtered given: filtered(filter: {}) unset: strict(any: $none) }',
    );
    expect(body).toEqual({
      data: {
        payload: '{"any":{"a":[1,"b"]},"plain":3}',
        strict: '{"any":[[1],{"b":2}]}',
        list: '{"any":[{"a":1}]}',
        filtered: '{"filter":{"by":{"d":4},"must":[2],"plain":"c"}}',
        given: '{"filter":{"by":{"a":[1,"b"]},"must":[2],"plain":"c"}}',
        unset: '{"any":[[1],{"b":2}]}',
      },
    });
  });

  test("is overridden by the client's value", async () => {
    const { body } = await gateway.execute(
      'query ($any: Any) { payload(any: { e: 5 }) strict(any: $any) filtered(filter: { must: [] }) }',
      { variables: { any: [6] } },
    );
    expect(body).toEqual({
      data: {
        payload: '{"any":{"e":5},"plain":3}',
        strict: '{"any":[6]}',
        filtered: '{"filter":{"by":{"a":[1,"b"]},"must":[],"plain":"c"}}',
      },
    });
  });

  test('does not prevent the subgraph from refusing null', async () => {
    const { body } = await gateway.execute('{ strict(any: null) filtered(filter: { must: null }) }');
    expect(body).toMatchObject({ data: { strict: null, filtered: null } });
    expect(JSON.stringify(body.errors)).toContain('SUBGRAPH_ERROR');
  });

  test('is not in the introspection result, unlike other defaults', async () => {
    const { body } = await gateway.execute(`{
      query: __type(name: "Query") { fields { name args { name defaultValue type { kind } } } }
      filter: __type(name: "Filter") { inputFields { name defaultValue type { kind } } }
    }`);
    const any = { name: 'any', defaultValue: null, type: { kind: 'SCALAR' } };
    expect(body).toEqual({
      data: {
        query: {
          fields: [
            { name: 'payload', args: [any, { name: 'plain', defaultValue: '3', type: { kind: 'SCALAR' } }] },
            { name: 'strict', args: [any] },
            { name: 'list', args: [{ ...any, type: { kind: 'LIST' } }] },
            {
              name: 'filtered',
              args: [{ name: 'filter', defaultValue: null, type: { kind: 'INPUT_OBJECT' } }],
            },
            expect.objectContaining({ name: 'measure' }),
            expect.objectContaining({ name: 'order' }),
          ],
        },
        filter: {
          inputFields: [
            { ...any, name: 'by' },
            { ...any, name: 'must' },
            { name: 'plain', defaultValue: '"c"', type: { kind: 'SCALAR' } },
          ],
        },
      },
    });
  });
});

describe('a literal of a custom scalar', () => {
  const exact =
    '[1e400, 9007199254740993, -0, 1.0, 1e3, 1.5, 7, EUR, "EUR", {a: [-1e400], b: {c: EUR}}, true, null]';
  const queriesOf = (name: string): string =>
    gateway
      .subgraph(name)
      .calls.map(({ query }) => stripIgnoredCharacters(query))
      .join('\n');
  beforeEach(() => gateway.reset());

  test.each([
    ['an argument', `{ payload(any: ${exact}) }`, `payload(any: ${exact})`],
    ['an element of a list', '{ list(any: [1e400, [EUR]]) }', 'list(any: [1e400, [EUR]])'],
    [
      'a field of an input object',
      '{ filtered(filter: {by: {x: 9007199254740993}}) }',
      'filtered(filter: {by: {x: 9007199254740993}})',
    ],
    [
      'an object with variables',
      'query ($v: Any, $s: Sort) { payload(any: {n: 1e400, v: $v}) measure(at: 1.0, sort: $s) }',
      'payload(any: {n: 1e400, v: $v})',
    ],
    [
      'the argument of a directive',
      '{ payload @note(any: 1e400) ... @note(any: [EUR]) { strict } }',
      '@note(any: 1e400)',
    ],
    ['a fragment', '{ order { ... on Order { note(any: 1e400) } } }', 'note(any: 1e400)'],
    [
      'a string like its placeholder',
      '{ payload(any: ["_literal0", 1e400]) }',
      'payload(any: ["_literal0", 1e400])',
    ],
    ['the default of a variable', `query ($v: Any = ${exact}) { payload(any: $v) }`, `$v: Any = ${exact}`],
  ])('reaches the subgraph unchanged in %s', async (_, query, text) => {
    const { body } = await gateway.execute(query);
    expect(body.errors).toBeUndefined();
    expect(queriesOf('payloads')).toContain(stripIgnoredCharacters(text));
  });

  test('reaches the subgraph unchanged in a deferred part and in an enrichment', async () => {
    await using answer = await gateway.executeIncrementally(
      '{ order { id ... @defer { note(any: 1e400) } advice(any: 9007199254740993) } }',
      { headers: { 'tributary-defer': 'auto' } },
    );
    await answer.remaining();
    expect(queriesOf('payloads')).toContain('note(any:1e400)');
    expect(queriesOf('taxes')).toContain('advice(any:9007199254740993)');
  });

  test('reaches the subgraph unchanged in the arguments of a @requires, and is the same for the client', async () => {
    const { body } = await gateway.execute('{ order { tax price(of: [9007199254740993, EUR]) } }');
    expect(body).toEqual({ data: { order: { tax: 1, price: 3 } } });
    expect(queriesOf('payloads').match(/price\(of:\[9007199254740993 EUR\]\)/g)).toHaveLength(1);
  });
});

describe('a number that is too large', () => {
  test.each([
    ['{ measure(at: 1e400) }', 'The argument "at" has the value 1e400, which is too large for a Float.'],
    [
      `{ measure(points: [1, ${'9'.repeat(400)}]) }`,
      `The argument "points" has the value ${'9'.repeat(39)}…, which is too large for a Float.`,
    ],
    [
      'query ($at: Float = -1e400) { measure(at: $at) }',
      'The default of variable "$at" has the value -1e400, which is too large for a Float.',
    ],
  ])('is refused as a literal of type Float: %.40s', async (query, message) => {
    const { status, body } = await gateway.execute(query);
    expect(status).toBe(400);
    expect(body.errors).toEqual([
      expect.objectContaining({ message, extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }),
    ]);
  });

  test('is refused in a variable of a custom scalar, because the subgraph would get null', async () => {
    const response = await fetch(gateway.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"query":"query ($v: Any, $w: Any) { payload(any: [$v, $w]) }","variables":{"v":1,"w":{"x":[1e400]}}}',
    });
    expect([response.status, await response.json()]).toEqual([
      400,
      {
        errors: [
          expect.objectContaining({
            message:
              'Variable "$w" has a number that is too large for the gateway to pass on. Send it as a string or as a literal.',
            extensions: { code: 'BAD_USER_INPUT' },
          }),
        ],
      },
    ]);
  });
});
