import { expect, test } from '@jest/globals';
import { parseInvalidationRequest } from '../../../../gateway/cache/invalidation/invalidationRequest.ts';
import { readCacheGraph } from '../../../../gateway/cache/rules/cacheGraph.ts';
import {
  customTag,
  entityTag,
  subgraphTag,
  typeTag,
  unknownEntityTag,
} from '../../../../gateway/cache/tags/tagNames.ts';
import { composeCachedDocument, withCached } from '../../../harness/cachedSubgraphs.ts';

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

const mistakesIn = (body: unknown) => {
  const read = parseInvalidationRequest(body, graph);
  return read.kind === 'mistakes' ? read.reasons : [];
};

const expected = 'expected an object with any of types, entities, tags, subgraphs';

test('all parts together, each tag once', () => {
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
  ['text', 'sale'],
  ['a list', []],
  ['null', null],
  ['nothing', undefined],
])('%s is no request', (_, body) => {
  expect(mistakesIn(body)).toEqual([`the request is no JSON object; ${expected}`]);
});

test.each([[{}], [{ types: [], tags: [] }]])('%j is refused, since it would do nothing', (body) => {
  expect(mistakesIn(body)).toEqual([`the request names nothing; ${expected}`]);
});

test('all mistakes are told at once, each with its place, and nothing else holds', () => {
  expect(
    mistakesIn({
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
    `"type" is not known (did you mean types?); ${expected}`,
    'types[0]: there is no object type, interface or union Prodct (did you mean Product?)',
    'types[1]: expected the name of a type',
    'types[3]: there is no object type, interface or union "x y"',
    'entities[0]: Product has no key { sku }. Its keys: { id }, { upc }',
    'entities[1]: Product has no key { }. Its keys: { id }, { upc }',
    'entities[2]: Size has no keys; invalidate it by its type',
    'entities[3]: there is no object type, interface or union Prodct (did you mean Product?)',
    'entities[4]: Product has no field upcc (did you mean upc?)',
    'entities[5]: expected an object with "__typename" and the fields of a key',
    'entities[6]: expected an object with "__typename" and the fields of a key',
    'entities[7]: expected an object with "__typename" and the fields of a key',
    'entities[8]: nested deeper than 20 levels',
    'tags[0]: expected text that is neither blank nor holds a NUL',
    'tags[1]: expected text that is neither blank nor holds a NUL',
    'tags[2]: expected text that is neither blank nor holds a NUL',
    'subgraphs[0]: there is no subgraph "inventry" (did you mean inventory?)',
    'subgraphs[1]: expected the name of a subgraph',
  ]);
});

test('a part that is no list', () => {
  expect(mistakesIn({ types: 'Product', tags: null })).toEqual([
    'types: expected a list',
    'tags: expected a list',
  ]);
});

const listOf = (count: number) => Array.from({ length: count }, (_, index) => `tag ${index}`);

test('1,000 items are taken, in all parts together, and not one more', () => {
  const read = parseInvalidationRequest({ tags: listOf(999), types: ['Product'] }, graph);
  expect(read.kind === 'tags' && read.tags.length).toBe(1_000);
  const reason = 'more than 1000 types, entities, tags and subgraphs in one request';
  expect(mistakesIn({ tags: listOf(1_000), types: ['Product'] })).toEqual([reason]);
  expect(mistakesIn({ tags: listOf(1_001) })).toEqual([reason]);
});

test('of many mistakes 100 are told', () => {
  const reasons = mistakesIn({ types: listOf(150) });
  expect([reasons.length, reasons.at(-1)]).toEqual([101, 'and 50 more']);
});

test('names of object prototypes are names like any other', () => {
  expect(mistakesIn(JSON.parse('{"__proto__": ["a"], "toString": ["b"]}'))).toEqual([
    `"__proto__" is not known; ${expected}`,
    `"toString" is not known; ${expected}`,
  ]);
  expect(mistakesIn({ types: ['toString'], subgraphs: ['constructor'] })).toEqual([
    'types[0]: there is no object type, interface or union toString',
    'subgraphs[0]: there is no subgraph "constructor"',
  ]);
});
