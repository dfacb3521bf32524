import { beforeEach, describe, expect, test } from '@jest/globals';
import { stripIgnoredCharacters } from 'graphql';
import { startInlineGateway } from '../harness/inlineGateway.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';

const echo = (_: never, args: never): string => JSON.stringify(args);
const input = `
  directive @oneOf on INPUT_OBJECT
  input By @oneOf { id: ID name: String dims: Dims any: [By!] }
  input Dims { width: Int! height: Int = 3 }
`;

const gateway = await startInlineGateway({
  config: {
    security: { introspection: true, exposeSubgraphErrors: true },
    limits: { cost: { max: 1000 } },
  },
  subgraphs: [
    {
      name: 'films',
      sdl: `${input}
        type Query {
          film(by: By!): String
          films(any: [By!]): String
          seeded(by: By = { id: "1" }): String
          box: Box
        }
        type Box @key(fields: "id") { id: ID! }
      `,
      resolvers: { Query: { film: echo, films: echo, seeded: echo, box: () => ({ id: '1' }) } },
    },
    {
      name: 'boxes',
      sdl: `${input} type Box @key(fields: "id") { id: ID! find(by: By): String }`,
      resolvers: { Box: { find: echo } },
    },
  ],
});
disposeAfterSuite(gateway);
beforeEach(() => {
  gateway.subgraph('films').reset();
  gateway.subgraph('boxes').reset();
});

describe('a value of a @oneOf input type', () => {
  test.each([
    ['a literal', '{ film(by: { id: "7" }) }', { by: { id: '7' } }],
    [
      'a nested literal',
      '{ film(by: { any: [{ name: "a" }, { dims: { width: 1 } }] }) }',
      { by: { any: [{ name: 'a' }, { dims: { width: 1, height: 3 } }] } },
    ],
    [
      'a variable for a field',
      'query ($id: ID!) { film(by: { id: $id }) }',
      { by: { id: '9' } },
      { id: '9' },
    ],
    [
      'a variable',
      'query ($by: By!) { film(by: $by) }',
      { by: { dims: { width: 2, height: 3 } } },
      { by: { dims: { width: 2 } } },
    ],
    [
      'a list in a variable',
      'query ($any: [By!]) { films(any: $any) }',
      { any: [{ id: '1' }, { any: [{ name: 'b' }] }] },
      { any: [{ id: '1' }, { any: [{ name: 'b' }] }] },
    ],
    [
      'the default of a variable',
      'query ($by: By = { name: "d" }) { seeded(by: $by) }',
      { by: { name: 'd' } },
    ],
    ['the default of an argument', '{ seeded }', { by: { id: '1' } }],
  ])('reaches the subgraph as %s', async (_, query, expected, variables: object = {}) => {
    const { body } = await gateway.execute(query, { variables: { ...variables } });
    expect(Object.values(body.data ?? {})).toEqual([JSON.stringify(expected)]);
    expect(body.errors).toBeUndefined();
  });

  test('is passed on unchanged, also to the subgraph of an entity', async () => {
    const { body } = await gateway.execute(
      'query ($id: ID!, $by: By) { film(by: { any: [{ id: $id }] }) box { find(by: { id: $id }) byVariable: find(by: $by) } }',
      { variables: { id: '3', by: { name: 'n' } } },
    );
    expect(body.errors).toBeUndefined();
    const [root] = gateway.subgraph('films').calls;
    expect(stripIgnoredCharacters(root?.query ?? '')).toContain('film(by:{any:[{id:$id}]})');
    const [entity] = gateway.subgraph('boxes').calls;
    expect(stripIgnoredCharacters(entity?.query ?? '')).toContain('find(by:{id:$id})');
    expect(entity?.variables).toMatchObject({ id: '3', by: { name: 'n' } });
  });

  test.each([
    ['no field', '{ film(by: {}) }', 'OneOf Input Object "By" must specify exactly one key.'],
    [
      'two fields',
      '{ film(by: { id: 1, name: "a" }) }',
      'OneOf Input Object "By" must specify exactly one key.',
    ],
    [
      'two fields in a list',
      '{ films(any: [{ id: 1 }, { id: 1, name: "a" }]) }',
      'OneOf Input Object "By" must specify exactly one key.',
    ],
    ['null', '{ film(by: { id: null }) }', 'Field "By.id" must be non-null.'],
    [
      'a nullable variable',
      'query ($id: ID) { film(by: { id: $id }) }',
      'Variable "$id" is of type "ID" but must be non-nullable to be used for OneOf Input Object "By".',
    ],
    [
      'a default with two fields',
      'query ($by: By = { id: 1, name: "a" }) { seeded(by: $by) }',
      'OneOf Input Object "By" must specify exactly one key.',
    ],
  ])('is refused by validation with %s', async (_, query, message) => {
    const { status, body } = await gateway.execute(query);
    expect(body.errors).toMatchObject([{ message, extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }]);
    expect(status).toBe(400);
    expect(gateway.subgraph('films').calls).toEqual([]);
  });

  test.each([
    [{}, 'Exactly one key must be specified for OneOf type "By".'],
    [{ id: '1', name: 'a' }, 'Exactly one key must be specified for OneOf type "By".'],
    [{ id: '1', name: null }, 'Exactly one key must be specified for OneOf type "By".'],
    [{ id: null }, 'Field "id" must be non-null.'],
    [{ any: [{ id: '1' }, {}] }, 'Exactly one key must be specified for OneOf type "By".'],
  ])('is refused as the variable %j', async (by, message) => {
    const { body } = await gateway.execute('query ($by: By!) { film(by: $by) }', { variables: { by } });
    expect(body).toEqual({
      errors: [
        expect.objectContaining({
          message: expect.stringContaining(message),
          extensions: expect.objectContaining({ code: 'BAD_USER_INPUT' }),
        }),
      ],
    });
    expect(gateway.subgraph('films').calls).toEqual([]);
  });
});

describe('a @oneOf input type', () => {
  test('is one in introspection', async () => {
    const { body } = await gateway.execute(
      '{ by: __type(name: "By") { isOneOf inputFields { name defaultValue } } dims: __type(name: "Dims") { isOneOf } box: __type(name: "Box") { isOneOf } __schema { directives { name locations } } }',
    );
    expect(body.data).toMatchObject({
      by: {
        isOneOf: true,
        inputFields: ['id', 'name', 'dims', 'any'].map((name) => ({ name, defaultValue: null })),
      },
      dims: { isOneOf: false },
      box: { isOneOf: null },
    });
    const { directives } = (body.data as { __schema: { directives: { name: string }[] } }).__schema;
    expect(directives.filter(({ name }) => name === 'oneOf')).toEqual([
      { name: 'oneOf', locations: ['INPUT_OBJECT'] },
    ]);
  });
});
