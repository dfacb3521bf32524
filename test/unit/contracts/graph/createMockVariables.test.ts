import { describe, expect, test } from '@jest/globals';
import { buildSchema, coerceInputValue, type GraphQLInputType, parse } from 'graphql';
import { createMockVariables } from '../../../../contracts/graph/createMockVariables.ts';
import { operationOf } from '../../../../contracts/graph/operationOf.ts';

const schema = buildSchema(`
  type Query { a: Int id: ID }
  input Page { size: Int! filter: Filter! after: String }
  input Filter { and: [Filter!]! or: [[Filter!]!]! sort: Sort! page: Page }
  enum Sort { NAME }
  input Match @oneOf { not: Negation equals: Int any: [Match!] }
  input Negation { of: Match! }
`);

function variablesOf(definitions: string) {
  return createMockVariables(operationOf(parse(`query Q(${definitions}) { a }`)), schema);
}

describe('createMockVariables', () => {
  test('omits optional variables, and optional fields of input objects', () => {
    expect(variablesOf('$a: Int, $b: Int! = 2, $ids: [ID!]!, $word: String!')).toEqual({
      ids: ['ids'],
      word: 'word',
    });
  });

  test('ends recursive lists of input objects with an empty list', () => {
    const filter = { and: [], or: [[]], sort: 'NAME' };
    expect(variablesOf('$page: Page!, $filters: [Filter!]!')).toEqual({
      page: { size: 1, filter },
      filters: [filter],
    });
  });

  test('chooses a field of a @oneOf type whose value does not contain itself', () => {
    expect(variablesOf('$match: Match!, $negation: Negation!')).toEqual({
      match: { equals: 1 },
      negation: { of: { equals: 1 } },
    });
  });

  test.each(['Page', 'Filter', 'Match', 'Negation'])('gives %s a valid value', (type) => {
    const { value } = variablesOf(`$value: ${type}!`);
    expect(() => coerceInputValue(value, schema.getType(type) as GraphQLInputType)).not.toThrow();
  });
});
