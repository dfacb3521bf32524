import { expect, test } from '@jest/globals';
import { type DocumentNode, getIntrospectionQuery } from 'graphql';
import {
  createIntrospectionDocument,
  executeIntrospection,
} from '../../../gateway/operation/introspection.ts';
import { normalizeText, schemaOf } from '../../harness/normalize.ts';

test('introspection reads only its own variables, also if others are invalid', () => {
  const schema = schemaOf(`
    input Race { constructor: String laps: Int }
    type Query { finish(race: Race): Int }
  `);
  const variables = { race: { laps: 3 }, name: 'Race' };
  const { operation, root } = normalizeText(
    schema,
    'query ($race: Race, $name: String!) { finish(race: $race) __type(name: $name) { kind } }',
    { variables },
  );
  const document = createIntrospectionDocument(schema, operation, root) as DocumentNode;
  expect(Object.values(executeIntrospection(schema, document, variables))).toEqual([
    { kind: 'INPUT_OBJECT' },
  ]);
});

test('introspection refuses the null of a variable with a default', () => {
  const schema = schemaOf('type Query { count: Int }');
  const variables = { name: null };
  const text = 'query ($name: String = "Query") { __type(name: $name) { kind } }';
  const { operation, root } = normalizeText(schema, text, { variables });
  const document = createIntrospectionDocument(schema, operation, root) as DocumentNode;
  expect(() => executeIntrospection(schema, document, variables)).toThrow(
    expect.objectContaining({ code: 'BAD_USER_INPUT', message: expect.stringContaining('"name"') }),
  );
});

test('introspection may read twice as much as the usual query, and no more', () => {
  const schema = schemaOf('type Query { count(of: Int): Int other: Query }');
  const create = (text: string): unknown => {
    const { operation, root } = normalizeText(schema, text, { maxSelections: 10_000 });
    return createIntrospectionDocument(schema, operation, root);
  };
  const usual = getIntrospectionQuery({ inputValueDeprecation: true, oneOf: true });
  const field = usual
    .slice(usual.indexOf('__schema'), usual.indexOf('fragment FullType'))
    .replace(/\}\s*$/, '');
  const fragments = usual.slice(usual.indexOf('fragment FullType'));
  const repeated = (times: number): string =>
    `{ ${Array.from({ length: times }, (_, index) => `a${index}: ${field}`).join(' ')} } ${fragments}`;
  expect(create(repeated(2))).toBeDefined();
  const message = 'The operation reads more than 2 times as much of the schema';
  expect(() => create(repeated(3))).toThrow(message);
});
