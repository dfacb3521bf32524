import { expect, test } from '@jest/globals';
import { parseInvalidationRequest } from '../../../../gateway/cache/invalidation/invalidationRequest.ts';
import { readCacheGraph } from '../../../../gateway/cache/rules/cacheGraph.ts';
import {
  customTag,
  subgraphTag,
  typeTag,
  unknownEntityTag,
} from '../../../../gateway/cache/tags/tagNames.ts';
import { composeCachedDocument, withCached } from '../../../harness/cachedSubgraphs.ts';
import { entityTag } from '../../../harness/entityTag.ts';

const graph = readCacheGraph(
  await composeCachedDocument({
    products: withCached(`
      type Query { product: Product size: Size }
      type Product @key(fields: "id") @key(fields: "upc") { id: ID! upc: ID! sku: String }
      type Size { width: Int }
    `),
    inventory: withCached('type Product @key(fields: "id") { id: ID! stock: Int }'),
  }),
);

const problemsIn = (body: unknown) => {
  const read = parseInvalidationRequest(body, graph);
  return read.kind === 'invalid' ? read.reasons : [];
};

const expected = 'expected an object with any of types, entities, tags, subgraphs';

test('a request with all fields yields each tag once', () => {
  expect(
    parseInvalidationRequest(
      {
        types: ['Size', 'Size'],
        entities: [
          { __typename: 'Product', id: 1, upc: 'u', sku: 'not of a key' },
          { __typename: 'Product', id: '1', upc: 'u' },
        ],
        tags: ['sale', 'type:Product'],
        subgraphs: ['inventory'],
      },
      graph,
    ),
  ).toEqual({
    kind: 'tags',
    tags: [
      typeTag('Size'),
      entityTag('Product', { id: '1' }),
      entityTag('Product', { upc: 'u' }),
      unknownEntityTag('Product'),
      customTag('sale'),
      customTag('type:Product'),
      subgraphTag('inventory'),
    ],
  });
});

test.each([
  ['a string', 'sale'],
  ['a list', []],
  ['null', null],
  ['undefined', undefined],
])('%s is not a valid request', (_, body) => {
  expect(problemsIn(body)).toEqual([`the request is not a JSON object; ${expected}`]);
});

test.each([[{}], [{ types: [], tags: [] }]])('the empty request %j is invalid', (body) => {
  expect(problemsIn(body)).toEqual([`the request is empty; ${expected}`]);
});

test('an invalid request reports all problems with their locations', () => {
  expect(
    problemsIn({
      type: ['Product'],
      types: ['Prodct', 7, 'Product', 'x y'],
      entities: [
        { __typename: 'Product', sku: 's' },
        { __typename: 'Product' },
        { __typename: 'Size', width: 1 },
        { __typename: 'Prodct', id: '1' },
        { __typename: 'Product', id: '1', upcc: 'u' },
        { id: '1' },
        'Product:1',
        null,
        { __typename: 'Product', id: JSON.parse(`${'['.repeat(5_000)}${']'.repeat(5_000)}`) },
      ],
      tags: [' ', 'a\0', 1, 'sale'],
      subgraphs: ['inventry', null],
    }),
  ).toEqual([
    `"type" is not a known field; did you mean \`types\`?; ${expected}`,
    'types[0]: there is no object type, interface or union Prodct; did you mean `Product`?',
    'types[1]: expected the name of a type',
    'types[3]: there is no object type, interface or union "x y"',
    'entities[0]: Product has no key { sku }. Its keys: { id }, { upc }',
    'entities[1]: Product has no key { }. Its keys: { id }, { upc }',
    'entities[2]: Size has no keys; invalidate its type instead',
    'entities[3]: there is no object type, interface or union Prodct; did you mean `Product`?',
    'entities[4]: Product has no field upcc; did you mean `upc`?',
    'entities[5]: expected an object with "__typename" and the fields of a key',
    'entities[6]: expected an object with "__typename" and the fields of a key',
    'entities[7]: expected an object with "__typename" and the fields of a key',
    'entities[8]: nested deeper than 20 levels',
    'tags[0]: expected a string that is not blank and contains no NUL',
    'tags[1]: expected a string that is not blank and contains no NUL',
    'tags[2]: expected a string that is not blank and contains no NUL',
    'subgraphs[0]: there is no subgraph "inventry"; did you mean `inventory`?',
    'subgraphs[1]: expected the name of a subgraph',
  ]);
});

test('a key field with a value that its type forbids is reported', async () => {
  const keyed = readCacheGraph(
    await composeCachedDocument({
      stock: withCached(`
        scalar Code
        enum Region { EU US }
        type Query { items: [Item!]! }
        type Item @key(fields: "id region place { row } code") @key(fields: "sku") {
          id: ID!
          region: Region!
          place: Place!
          code: Code!
          sku: String
          note: String!
        }
        type Place { row: Int! }
      `),
    }),
  );
  const item = { __typename: 'Item', id: '1', region: 'EU', place: { row: 1 }, code: { any: ['value'] } };
  const read = parseInvalidationRequest(
    {
      entities: [
        item,
        { __typename: 'Item', sku: null },
        { ...item, note: null },
        { ...item, id: null },
        { ...item, id: {}, region: ['EU'] },
        { ...item, place: { row: null } },
        { ...item, place: 1, sku: '1' },
        { ...item, place: [{ row: 1 }], code: null },
      ],
    },
    keyed,
  );
  expect(read).toEqual({
    kind: 'invalid',
    reasons: [
      'entities[3]: the key field id is null; expected a value of type ID!',
      'entities[4]: the key field id is an object; expected a value of type ID!',
      'entities[4]: the key field region is a list; expected a value of type Region!',
      'entities[5]: the key field place.row is null; expected a value of type Int!',
      'entities[6]: the key field place is not an object; expected a value of type Place!',
      'entities[7]: the key field place is not an object; expected a value of type Place!',
      'entities[7]: the key field code is null; expected a value of type Code!',
    ],
  });
});

test('a key field with a list is read element by element, and its elements are checked', async () => {
  const listed = readCacheGraph(
    await composeCachedDocument({
      items: withCached(`
        type Query { item: Item }
        type Item @key(fields: "id") @key(fields: "tags { name }") @key(fields: "codes") {
          id: ID!
          tags: [Tag!]!
          codes: [[String!]]
        }
        type Tag { name: String! }
      `),
    }),
  );
  const item = {
    __typename: 'Item',
    id: '1',
    tags: [{ name: 'a' }, { name: 'b' }],
    codes: [['c', 'd'], null],
  };
  expect(parseInvalidationRequest({ entities: [item] }, listed)).toEqual({
    kind: 'tags',
    tags: [
      entityTag('Item', { id: '1' }),
      entityTag('Item', { tags: item.tags }),
      entityTag('Item', { codes: item.codes }),
      unknownEntityTag('Item'),
    ],
  });
  expect(
    parseInvalidationRequest(
      {
        entities: [
          { ...item, tags: { name: 'a' } },
          { ...item, tags: [{ name: 'a' }, null, 'b', { name: null }] },
          { ...item, codes: [['c', []], 'd', [null]] },
        ],
      },
      listed,
    ),
  ).toEqual({
    kind: 'invalid',
    reasons: [
      'entities[0]: the key field tags is not a list; expected a value of type [Tag!]!',
      'entities[1]: the key field tags[1] is null; expected a value of type Tag!',
      'entities[1]: the key field tags[2] is not an object; expected a value of type Tag!',
      'entities[1]: the key field tags[3].name is null; expected a value of type String!',
      'entities[2]: the key field codes[0][1] is a list; expected a value of type String!',
      'entities[2]: the key field codes[1] is not a list; expected a value of type [String!]',
      'entities[2]: the key field codes[2][0] is null; expected a value of type String!',
    ],
  });
});

test('a field that is not a list is reported', () => {
  expect(problemsIn({ types: 'Product', tags: null })).toEqual([
    'types: expected a list',
    'tags: expected a list',
  ]);
});

const listOf = (count: number) => Array.from({ length: count }, (_, index) => `tag ${index}`);

test('a request may have 1,000 items in all fields together', () => {
  const read = parseInvalidationRequest({ tags: listOf(999), types: ['Product'] }, graph);
  expect(read.kind === 'tags' && read.tags.length).toBe(1_000);
  const reason = 'the request has more than 1000 types, entities, tags and subgraphs';
  expect(problemsIn({ tags: listOf(1_000) })).toEqual([]);
  expect(problemsIn({ tags: listOf(1_000), types: ['Product'] })).toEqual([reason]);
  expect(problemsIn({ tags: listOf(1_001) })).toEqual([reason]);
});

test('at most 100 problems are reported', () => {
  const reasons = problemsIn({ types: listOf(150) });
  expect([reasons.length, reasons.at(-1)]).toEqual([101, 'and 50 more']);
  expect(problemsIn({ types: listOf(100) })).toHaveLength(100);
});

test('names of prototype properties are handled like other unknown names', () => {
  expect(problemsIn(JSON.parse('{"__proto__": ["a"], "toString": ["b"]}'))).toEqual([
    `"__proto__" is not a known field; ${expected}`,
    `"toString" is not a known field; ${expected}`,
  ]);
  expect(problemsIn({ types: ['toString'], subgraphs: ['constructor'] })).toEqual([
    'types[0]: there is no object type, interface or union toString',
    'subgraphs[0]: there is no subgraph "constructor"',
  ]);
});
