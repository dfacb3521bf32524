import { expect, test } from '@jest/globals';
import { type DocumentNode, type GraphQLSchema, getIntrospectionQuery, graphqlSync } from 'graphql';
import {
  createIntrospectionDocument,
  executeIntrospection,
} from '../../../gateway/operation/introspection.ts';
import { runToCompletion } from '../../../gateway/time/slicedTask.ts';
import { normalizeText, schemaOf } from '../../harness/normalize.ts';

function startIntrospection(
  schema: GraphQLSchema,
  text: string,
  variables: Readonly<Record<string, unknown>> = {},
): ReturnType<typeof executeIntrospection> {
  const { operation, root } = normalizeText(schema, text, { variables, maxSelections: 10_000 });
  const document = createIntrospectionDocument(schema, operation, root) as DocumentNode;
  return executeIntrospection(schema, document, variables);
}

const usual = getIntrospectionQuery({
  descriptions: true,
  specifiedByUrl: true,
  directiveIsRepeatable: true,
  schemaDescription: true,
  inputValueDeprecation: true,
  oneOf: true,
});

test('introspection reads only its own variables, also if others are invalid', () => {
  const schema = schemaOf(`
    input Race { constructor: String laps: Int }
    type Query { finish(race: Race): Int }
  `);
  const text = 'query ($race: Race, $name: String!) { finish(race: $race) __type(name: $name) { kind } }';
  const variables = { race: { laps: 3 }, name: 'Race' };
  expect(Object.values(runToCompletion(startIntrospection(schema, text, variables)))).toEqual([
    { kind: 'INPUT_OBJECT' },
  ]);
});

test('introspection refuses the null of a variable with a default', () => {
  const schema = schemaOf('type Query { count: Int }');
  const text = 'query ($name: String = "Query") { __type(name: $name) { kind } }';
  expect(() => runToCompletion(startIntrospection(schema, text, { name: null }))).toThrow(
    expect.objectContaining({ code: 'BAD_USER_INPUT', message: expect.stringContaining('"name"') }),
  );
});

test('introspection has the result of graphql-js', () => {
  const schema = schemaOf(`
    "All of it."
    schema { query: Query }
    directive @part("which" of: [Int!]! = [1, 2] old: Int @deprecated) repeatable on FIELD | QUERY
    scalar Url @specifiedBy(url: "https://url.spec.whatwg.org")
    interface Named { name: String! }
    type Shop implements Named { name: String! url: Url old: Int @deprecated(reason: "unused") }
    union Found = Shop | Query
    enum Size { SMALL LARGE @deprecated }
    input Filter { size: Size = SMALL within: Filter old: [Int] @deprecated }
    input Key @oneOf { id: ID slug: String }
    type Query { "finds" find(filter: Filter = { size: LARGE } key: Key): [Found!] }
  `);
  const extra = '{ __schema { __typename a: queryType { ...T } ...S } none: __type(name: "None") { name } }';
  const fragments = `fragment T on __Type { __typename name fields { name } }
    fragment S on __Schema { types { enumValues { name } inputFields { name } } }`;
  for (const text of [usual, extra + fragments]) {
    const { data, errors } = graphqlSync({ schema, source: text });
    expect(errors).toBeUndefined();
    expect(Object.values(runToCompletion(startIntrospection(schema, text)))).toEqual(
      Object.values(data ?? {}),
    );
  }
});

test('introspection of a large schema pauses', () => {
  const types = Array.from({ length: 500 }, (_, n) => `type T${n} { a: [T${n}!]! b(c: Int): String }`);
  const schema = schemaOf(`${types.join('\n')} type Query { t: T0 }`);
  const task = startIntrospection(schema, usual);
  let pauses = 0;
  while (task.next().done !== true) pauses += 1;
  expect(pauses).toBeGreaterThan(50);
});

test('introspection may read twice as much as the usual query, and no more', () => {
  const schema = schemaOf('type Query { count(of: Int): Int other: Query }');
  const create = (source: string): unknown => {
    const { operation, root } = normalizeText(schema, source, { maxSelections: 10_000 });
    return createIntrospectionDocument(schema, operation, root);
  };
  const text = getIntrospectionQuery({ inputValueDeprecation: true, oneOf: true });
  const field = text.slice(text.indexOf('__schema'), text.indexOf('fragment FullType')).replace(/\}\s*$/, '');
  const fragments = text.slice(text.indexOf('fragment FullType'));
  const repeated = (times: number): string =>
    `{ ${Array.from({ length: times }, (_, index) => `a${index}: ${field}`).join(' ')} } ${fragments}`;
  expect(create(repeated(2))).toBeDefined();
  const message = 'The operation reads more than 2 times as much of the schema';
  expect(() => create(repeated(3))).toThrow(message);
});
