import { expect, test } from '@jest/globals';
import { startInlineGateway } from '../harness/inlineGateway.ts';

const subgraphs = [
  {
    name: 'products',
    sdl: 'type Query { product(id: ID!): Product } type Product @key(fields: "id") { id: ID! }',
    resolvers: {
      Query: { product: (_: never, { id }: never) => ({ __typename: 'Product', id }) },
    },
  },
  {
    name: 'details',
    sdl: 'type Product @key(fields: "id") { id: ID! quick: String slow: String }',
    resolvers: {
      Product: { quick: ({ id }: never) => `quick ${id}`, slow: ({ id }: never) => `slow ${id}` },
    },
  },
];

test('deferred fields that use all their connections do not delay first payloads', async () => {
  await using gateway = await startInlineGateway({
    subgraphs,
    config: { subgraphs: { all: { connections: 1 } } },
  });
  const gate = gateway.subgraph('details').hold('Product.slow');
  const query = 'query P($id: ID!) { product(id: $id) { quick ... @defer { slow } } }';
  await using first = await gateway.executeIncrementally(query, { variables: { id: '1' } });
  expect(JSON.stringify(await first.next())).toContain('quick 1');
  await gate.waitForArrivals(1);

  await using second = await gateway.executeIncrementally(query, { variables: { id: '2' } });
  expect(JSON.stringify(await second.next())).toContain('quick 2');
  gate.open();
  expect(JSON.stringify(await first.remaining())).toContain('slow 1');
  expect(JSON.stringify(await second.remaining())).toContain('slow 2');
});
