import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type InlineGateway, startInlineGateway } from '../harness/inlineGateway.ts';

describe('a list or an object as the default of a custom scalar', () => {
  let gateway: InlineGateway;

  beforeAll(async () => {
    const echo = (_: never, args: never): string => JSON.stringify(args);
    gateway = await startInlineGateway({
      config: { security: { introspection: true, exposeSubgraphErrors: true } },
      subgraphs: [
        {
          name: 'payloads',
          sdl: `
            scalar Any
            input Filter { by: Any = { a: [1, "b"] } must: Any! = [2] plain: Any = "c" }
            type Query {
              payload(any: Any = { a: [1, "b"] }, plain: Int = 3): String
              strict(any: Any! = [[1], { b: 2 }]): String
              list(any: [Any!] = [{ a: 1 }]): String
              filtered(filter: Filter = { by: { d: 4 } }): String
            }
          `,
          resolvers: { Query: { payload: echo, strict: echo, list: echo, filtered: echo } },
        },
      ],
    });
  });
  afterAll(() => gateway.close());

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
