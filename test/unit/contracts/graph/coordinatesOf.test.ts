import { afterAll, expect, test } from '@jest/globals';
import { coordinatesOf } from '../../../../gateway/contracts/graph/coordinatesOf.ts';
import { Graphs, operationsOf } from './contracts.ts';

const products = `
  type Query { products(by: By, sort: Sort, in: Currency): [Product!] node: Node }
  type Product implements Node @key(fields: "id") { id: ID! box: Box state: State name: String }
  type Box @shareable { weight: Float }
  interface Node { id: ID! }
  input By { name: String state: State within: By }
  enum State { NEW OLD }
  enum Sort { NAME AGE }
  enum Currency { EUR USD }
`;
const stock = `
  type Product @key(fields: "id") { id: ID! box: Box @external shipping: Int @requires(fields: "box { weight }") }
  type Box @shareable { weight: Float }
`;

const graphs = new Graphs();
afterAll(() => graphs[Symbol.asyncDispose]());

async function touchedBy(text: string) {
  const { graph, plans } = await graphs.plan({ products, stock }, operationsOf(text));
  return [...plans.values()].map((planned) =>
    Object.fromEntries(
      Array.from(coordinatesOf(planned, graph), ([subgraph, coordinates]) => [
        subgraph,
        Object.fromEntries(Array.from(coordinates, ([coordinate, how]) => [coordinate, [...how].join(' ')])),
      ]),
    ),
  );
}

test('a plan touches what it selects, gives and sends, in each subgraph', async () => {
  const [touched] = await touchedBy(
    'query P($in: Currency) { products(by: {name: "a", state: NEW}, in: $in, sort: NAME) { state shipping } }',
  );
  expect(touched).toEqual({
    products: {
      'Query.products': 'field',
      'Query.products(by:)': 'argument',
      'Query.products(in:)': 'argument',
      'Query.products(sort:)': 'argument',
      'By.name': 'input field',
      'By.state': 'input field',
      'State.NEW': 'enum value',
      'Sort.NAME': 'enum value',
      'Currency.EUR': 'variable',
      'Currency.USD': 'variable',
      'Product.id': 'field',
      'Product.state': 'field',
      'Product.box': 'field',
      'Box.weight': 'field',
      State: 'type',
    },
    stock: {
      Product: 'type',
      'Product.shipping': 'field',
      'Product.id': 'sent',
      'Product.box': 'sent',
      'Box.weight': 'sent',
    },
  });
});

test('a variable of an input type may hold all of it, and all that it holds', async () => {
  const [touched] = await touchedBy('query P($by: By) { products(by: $by) { id } }');
  expect(touched?.products).toEqual({
    'Query.products': 'field',
    'Query.products(by:)': 'argument',
    'By.name': 'variable',
    'By.state': 'variable',
    'By.within': 'variable',
    'State.NEW': 'variable',
    'State.OLD': 'variable',
    'Product.id': 'field',
  });
});

test('an abstract field touches its type, and a refused operation nothing', async () => {
  const touched = await touchedBy('query N { node { ... on Product { name } } } query R { gone }');
  expect(touched).toEqual([
    {
      products: { 'Query.node': 'field', Node: 'type', Product: 'type', 'Product.name': 'field' },
    },
    {},
  ]);
});
