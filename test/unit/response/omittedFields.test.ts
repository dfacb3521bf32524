import { expect, test } from '@jest/globals';
import type { GraphQLObjectType } from 'graphql';
import { findOmittedFields } from '../../../gateway/response/omittedFields.ts';
import { normalizeText, schemaOf } from '../../harness/normalize.ts';

const schema = schemaOf('type Query { products: [Product] } type Product { id: ID! stock: Int }');
const { root } = normalizeText(schema, '{ products { id ... @defer { stock } } }');

test('the deferred fragments of a payload are all found, or none of them in one with more than 1000 objects', () => {
  const countDeferred = (count: number): number | undefined => {
    const tree = { products: Array.from({ length: count }, (_, id) => ({ id })) };
    const type = schema.getQueryType() as GraphQLObjectType;
    return findOmittedFields(schema, root, type, tree, [], new Set())?.deferred.length;
  };
  // The root is an object, too.
  expect([countDeferred(0), countDeferred(999), countDeferred(1_000)]).toStrictEqual([0, 999, undefined]);
});
