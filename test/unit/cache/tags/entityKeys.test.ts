import { expect, test } from '@jest/globals';
import { readCacheGraph } from '../../../../gateway/cache/rules/cacheGraph.ts';
import { composeCachedDocument, withCached } from '../../../harness/cachedSubgraphs.ts';

test('the keys of a type include those of all subgraphs and interfaces, resolvable or not, without duplicates', async () => {
  const graph = readCacheGraph(
    await composeCachedDocument({
      products: withCached(`
        type Query { product: Product media: Media }
        type Product @key(fields: "id") @key(fields: "sku vendor { name code }") { id: ID! sku: String! @shareable vendor: Vendor! @shareable }
        type Vendor @shareable { code: ID! name: String! }
        interface Media @key(fields: "id") { id: ID! }
        type Book implements Media @key(fields: "id") @key(fields: "isbn") { id: ID! isbn: ID! }
        type Size { width: Int }
      `),
      stock: withCached(`
        type Product @key(fields: "vendor { code name } sku") @key(fields: "upc", resolvable: false) { sku: String! vendor: Vendor! upc: ID! }
        type Vendor @shareable { code: ID! name: String! }
        type Media @interfaceObject @key(fields: "id") { id: ID! rating: Int }
      `),
    }),
  );
  const keysOf = (name: string) =>
    graph.types
      .get(name)
      ?.keys.map(({ text }) => text)
      .sort();
  expect({
    Product: keysOf('Product'),
    Media: keysOf('Media'),
    Book: keysOf('Book'),
    Vendor: keysOf('Vendor'),
    Query: keysOf('Query'),
  }).toEqual({
    Product: ['{ id }', '{ sku vendor { code name } }', '{ upc }'],
    Media: ['{ id }'],
    Book: ['{ id }', '{ isbn }'],
    Vendor: [],
    Query: [],
  });
});
