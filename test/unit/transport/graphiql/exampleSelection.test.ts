import { expect, test } from '@jest/globals';
import { buildSchema } from 'graphql';
import { exampleSelection } from '../../../../gateway/transport/graphiql/page/exampleSelection.ts';

const types =
  'type Product { id: ID!, price(currency: String!): Int, name(short: Boolean): String, maker: Product }';

test.each([
  ['a list', 'me: Product, product(id: ID!): Product, products(first: Int = 5): [Product!]!', 'products'],
  ['an object', 'version: String, products(first: Int!): [Product], me: Product!', 'me'],
])('an example for a graph is %s with the fields that need no argument', (_, fields, name) => {
  expect(exampleSelection(buildSchema(`type Query { ${fields} } ${types}`))).toBe(
    `{\n  ${name} {\n    id\n    name\n  }\n}`,
  );
});

test('an example for a graph without such objects is a value, or __typename', () => {
  const [value, none] = ['_service: String, version: String', 'product(id: ID!): Product'].map((fields) =>
    exampleSelection(buildSchema(`type Query { ${fields} } ${types}`)),
  );
  expect([value, none]).toEqual(['{\n  version\n}', '{\n  __typename\n}']);
});
