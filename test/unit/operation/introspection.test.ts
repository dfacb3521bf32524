import { expect, test } from '@jest/globals';
import type { DocumentNode } from 'graphql';
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
  const document = createIntrospectionDocument(operation, root) as DocumentNode;
  expect(Object.values(executeIntrospection(schema, document, variables))).toEqual([
    { kind: 'INPUT_OBJECT' },
  ]);
});

test('introspection refuses the null of a variable with a default', () => {
  const schema = schemaOf('type Query { count: Int }');
  const variables = { name: null };
  const text = 'query ($name: String = "Query") { __type(name: $name) { kind } }';
  const { operation, root } = normalizeText(schema, text, { variables });
  const document = createIntrospectionDocument(operation, root) as DocumentNode;
  expect(() => executeIntrospection(schema, document, variables)).toThrow(
    expect.objectContaining({ code: 'BAD_USER_INPUT', message: expect.stringContaining('"name"') }),
  );
});
