import { expect, test } from '@jest/globals';
import type { GraphQLObjectType } from 'graphql';
import { measureCost } from '../../../gateway/response/measureCost.ts';
import { runToCompletion } from '../../../gateway/time/slicedTask.ts';
import { normalizeText, schemaOf } from '../../harness/normalize.ts';

const schema = schemaOf(`
  type Query { product: Product products: [[Product]] node: Node found: [Found] names: [String] }
  type Mutation { buy: Product }
  interface Node { id: ID }
  union Found = Product | Seller
  type Product implements Node { id: ID stock: Int seller: Seller related: [Product!] }
  type Seller implements Node { id: ID name: String }
`);
const weights = new Map([
  ['Product.stock', 3],
  ['Seller', 20],
]);

test.each([
  ['nothing', '{ product { id } }', {}, 0],
  ['a null', '{ product { stock } }', { product: null }, 0],
  ['an object, which costs 1', '{ product { id } }', { product: { id: '1' } }, 1],
  ['the weight of a field', '{ product { stock } }', { product: { stock: 2 } }, 4],
  ['no weight for a field that is null', '{ product { stock } }', { product: { stock: null } }, 1],
  ['the weight of a field with an alias', '{ product { left: stock } }', { product: { left: 2 } }, 4],
  ['the weight of a type', '{ product { seller { name } } }', { product: { seller: { name: 'A' } } }, 21],
  ['every element of nested lists', '{ products { id } }', { products: [[{}, null, {}], null, [{}]] }, 3],
  ['each alias', '{ a: product { id } b: product { id } }', { a: {}, b: {} }, 2],
  ['no scalars', '{ names }', { names: ['a', 'b'] }, 0],
  [
    'by runtime types',
    '{ found { ... on Product { stock } ... on Seller { name } } }',
    { found: [{ __typename: 'Product', stock: 1 }, { __typename: 'Seller' }, { __typename: 'Other' }] },
    4 + 20 + 0,
  ],
  ['no values of another kind', '{ product { id } products { id } }', { product: 'x', products: {} }, 0],
  ['no introspection', '{ __schema { types { name } } }', { __schema: { types: [{ name: 'A' }] } }, 0],
  ['10 for a mutation', 'mutation { buy { id } }', { buy: {} }, 11],
] as const)('the actual cost of a response counts %s', (_, text, tree, cost) => {
  const { operation, root } = normalizeText(schema, text);
  const rootType = schema.getRootType(operation.operation) as GraphQLObjectType;
  const prepared = { kind: operation.operation, root, rootType, supergraph: { apiSchema: schema } };
  expect(runToCompletion(measureCost(prepared, tree, weights))).toBe(cost);
});

test('measuring the cost of a large response yields to the event loop', () => {
  const { root } = normalizeText(schema, '{ products { id } }');
  const rootType = schema.getQueryType() as GraphQLObjectType;
  const prepared = { kind: 'query', root, rootType, supergraph: { apiSchema: schema } } as const;
  const measuring = measureCost(
    prepared,
    { products: [Array.from({ length: 1000 }, () => ({}))] },
    new Map(),
  );
  expect(measuring.next().done).toBe(false);
  expect(runToCompletion(measuring)).toBe(1000);
});
