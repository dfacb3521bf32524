import { expect, test } from '@jest/globals';
import { readCacheGraph } from '../../../../gateway/cache/rules/cacheGraph.ts';
import { typeTag, unknownEntityTag } from '../../../../gateway/cache/tags/tagNames.ts';
import { createValueTagger } from '../../../../gateway/cache/tags/valueTags.ts';
import type { FetchShape } from '../../../../gateway/execution/fetchShape.ts';
import { runToCompletion } from '../../../../gateway/time/slicedTask.ts';
import {
  composeCachedDocument,
  entityShape,
  rootShape,
  withCached,
} from '../../../harness/cachedSubgraphs.ts';
import { entityTag } from '../../../harness/entityTag.ts';

const graph = readCacheGraph(
  await composeCachedDocument({
    products: withCached(`
      type Query { top: [Product!] media: Media search: [Result] named: Named settings: Settings vendor: Vendor grid: [[Product]] }
      type Product implements Named @key(fields: "id") @key(fields: "upc") @key(fields: "sku vendor { code }") {
        id: ID! upc: ID sku: String name: String vendor: Vendor related: [Product] size: Size
      }
      type Vendor @key(fields: "code") { code: ID! name: String best: Product }
      type Size { width: Int unit: Unit }
      type Unit { name: String }
      interface Named { name: String }
      type Settings implements Named { name: String }
      interface Media @key(fields: "id") { id: ID! title: String }
      type Book implements Media @key(fields: "id") @key(fields: "isbn") { id: ID! title: String isbn: ID author: Vendor }
      type Film implements Media @key(fields: "id") { id: ID! title: String }
      union Result = Product | Vendor | Settings
    `),
    reviews: withCached(`
      type Query { rated: Media }
      type Media @interfaceObject @key(fields: "id") { id: ID! rating: Int reviewed: Product }
      type Product @key(fields: "id", resolvable: false) { id: ID! }
    `),
  }),
);

const product = (id: unknown) => entityTag('Product', { id });
const known = (...keys: string[]) => unknownEntityTag('Product', keys);

const rootTags = (operation: string, data: unknown, subgraph = 'products') =>
  [...runToCompletion(createValueTagger(rootShape(subgraph, operation), graph).tagRoot(data))].sort();

const entityTags = (shape: FetchShape, representation: Record<string, unknown>, value: unknown) =>
  [...runToCompletion(createValueTagger(shape, graph).tagEntity(representation, value))].sort();

const tags = (...list: string[]) => list.sort();

test('an entity has the tags of its type and of every key in its representation', () => {
  expect(
    entityTags(
      entityShape('products', '... on Product { name }'),
      { __typename: 'Product', id: 1, vendor: { code: 'v', name: 'x' }, sku: 's', name: 'input' },
      { name: 'a' },
    ),
  ).toEqual(
    tags(
      typeTag('Product'),
      product('1'),
      entityTag('Product', { sku: 's', vendor: { code: 'v' } }),
      known('{ id }', '{ sku vendor { code } }'),
    ),
  );
});

test('an entity whose key is nested very deeply is tagged', () => {
  const deep = JSON.parse(`${'['.repeat(100_000)}1${']'.repeat(100_000)}`);
  const tagsOf = (representation: object) =>
    entityTags(
      entityShape('products', '... on Product { name }'),
      { __typename: 'Product', ...representation },
      { name: 'a' },
    );
  expect(tagsOf({ id: deep })).toContain(known('{ id }'));
  expect(tagsOf({ sku: 's', vendor: deep })).toContain(known('{ sku vendor { code } }'));
  expect(tagsOf({ sku: 's', vendor: { code: { deep } } })).toContain(known('{ sku vendor { code } }'));
});

test('keys in the response add tags of the fetched entity', () => {
  expect(
    entityTags(
      entityShape('products', '... on Product { code: upc sku vendor { c: code } }'),
      { __typename: 'Product', id: '1' },
      { code: 'u', sku: 's', vendor: { c: 'v' } },
    ),
  ).toEqual(
    tags(
      typeTag('Product'),
      typeTag('Vendor'),
      product('1'),
      entityTag('Product', { upc: 'u' }),
      entityTag('Product', { sku: 's', vendor: { code: 'v' } }),
      entityTag('Vendor', { code: 'v' }),
    ),
  );
});

test.each([[null], [undefined], ['text'], [7], [[]]])('an entity with the value %p has its tags', (value) => {
  const shape = entityShape('products', '... on Vendor { name }');
  expect(entityTags(shape, { __typename: 'Vendor', code: 'v' }, value)).toEqual(
    tags(typeTag('Vendor'), entityTag('Vendor', { code: 'v' })),
  );
});

test('an entity of a type that the supergraph lacks has its type tag', () => {
  const shape = entityShape('products', '... on Vendor { name }');
  expect(entityTags(shape, { __typename: 'Gone', code: 'v' }, null)).toEqual([typeTag('Gone')]);
});

test('a root field has the tag of the root type, and the type and entity tags of nested objects under aliases', () => {
  expect(
    rootTags('{ best: top { n: id name size { unit { name } } } }', {
      best: [{ n: 1, name: 'a', size: { unit: { name: 'cm' } } }, { n: '2', name: 'b', size: null }, null],
    }),
  ).toEqual(
    tags(
      typeTag('Query'),
      typeTag('Product'),
      typeTag('Size'),
      typeTag('Unit'),
      product('1'),
      product('2'),
      known('{ id }'),
    ),
  );
});

test('a part of a root fetch has only the tags of its own field', () => {
  const tagger = createValueTagger(rootShape('products', '{ a: vendor { code } top { id } }'), graph);
  expect([...runToCompletion(tagger.tagRoot({ a: { code: 5 } }))].sort()).toEqual(
    tags(typeTag('Query'), typeTag('Vendor'), entityTag('Vendor', { code: 5 })),
  );
});

test.each([[null], [undefined], ['text']])('data %p has the tag of the root type', (data) => {
  expect(rootTags('{ top { id } }', data)).toEqual([typeTag('Query')]);
});

test.each([
  ['is not selected', '{ top { name } }', { top: [{ name: 'a' }] }],
  ['is not selected in full', '{ top { sku vendor { name } } }', { top: [{ sku: 's', vendor: null }] }],
  ['is missing', '{ top { id } }', { top: [{}] }],
])('an entity whose key %s has the tag of an unknown entity', (_, operation, data) => {
  expect(rootTags(operation, data)).toEqual(tags(typeTag('Query'), typeTag('Product'), known()));
});

test('keys in fragments are read only for the types of the fragments', () => {
  const operation = '{ search { __typename ... on Product { key: id } ... on Vendor { key: code } } }';
  expect(
    rootTags(operation, {
      search: [
        { __typename: 'Vendor', key: '1' },
        { __typename: 'Product', key: '2' },
        { __typename: 'Settings' },
      ],
    }),
  ).toEqual(
    tags(
      typeTag('Query'),
      typeTag('Vendor'),
      typeTag('Product'),
      typeTag('Settings'),
      entityTag('Vendor', { code: '1' }),
      product('2'),
      known('{ id }'),
    ),
  );
});

test('an object of several possible types has the tags of each', () => {
  const operation = '{ search { ... on Product { key: id } ... on Vendor { key: code } } }';
  expect(rootTags(operation, { search: [{ key: '1' }] })).toEqual(
    tags(
      typeTag('Query'),
      typeTag('Vendor'),
      typeTag('Product'),
      typeTag('Settings'),
      entityTag('Vendor', { code: '1' }),
      product('1'),
      known('{ id }'),
    ),
  );
});

test('the type of an object is read from an aliased __typename in a fragment', () => {
  expect(
    rootTags('{ named { ... on Named { kind: __typename name } } }', { named: { kind: 'Settings' } }),
  ).toEqual(tags(typeTag('Query'), typeTag('Settings')));
});

test('an object is tagged by its interface with keys if its object type is unknown', () => {
  const operation = '{ media { __typename id ... on Book { author { code } } } }';
  const author = { code: 'v' };
  expect(rootTags(operation, { media: { __typename: 'Book', id: '1', author } })).toEqual(
    tags(
      typeTag('Query'),
      typeTag('Book'),
      typeTag('Vendor'),
      entityTag('Book', { id: '1' }),
      unknownEntityTag('Book', ['{ id }']),
      entityTag('Vendor', { code: 'v' }),
    ),
  );
  expect(
    rootTags('{ media { id ... on Book { author { code } } } }', { media: { id: '1', author } }),
  ).toEqual(
    tags(
      typeTag('Query'),
      typeTag('Book'),
      typeTag('Film'),
      typeTag('Vendor'),
      entityTag('Media', { id: '1' }),
      unknownEntityTag('Media', ['{ id }']),
      entityTag('Vendor', { code: 'v' }),
    ),
  );
});

test('an entity of an interface object has the tags of all implementations and of its nested objects', () => {
  const shape = entityShape('reviews', '... on Media { __typename rating reviewed { id } }');
  expect(
    entityTags(
      shape,
      { __typename: 'Media', id: '1' },
      { __typename: 'Media', rating: 3, reviewed: { id: '7' } },
    ),
  ).toEqual(
    tags(
      typeTag('Book'),
      typeTag('Film'),
      typeTag('Product'),
      entityTag('Media', { id: '1' }),
      unknownEntityTag('Media', ['{ id }']),
      product('7'),
      known('{ id }'),
    ),
  );
});

test('an entity fetched by its interface is tagged by the object type in the response', () => {
  const shape = entityShape('products', '... on Media { __typename title ... on Book { isbn } }');
  expect(
    entityTags(shape, { __typename: 'Media', id: '1' }, { __typename: 'Book', title: 'a', isbn: 'i' }),
  ).toEqual(tags(typeTag('Book'), entityTag('Book', { id: '1' }), entityTag('Book', { isbn: 'i' })));
});

test('beyond 100 entity tags, only the type with most of them is collapsed', () => {
  const top = Array.from({ length: 101 }, (_, index) => ({
    id: String(index),
    vendor: { code: String(index % 3) },
  }));
  const operation = '{ top { id vendor { code } } }';
  const vendors = ['0', '1', '2'].map((code) => entityTag('Vendor', { code }));
  expect(rootTags(operation, { top })).toEqual(
    tags(typeTag('Query'), typeTag('Product'), typeTag('Vendor'), known(), ...vendors),
  );
  const few = rootTags(operation, { top: top.slice(0, 96) });
  expect(few).toContain(product('95'));
  expect(few).not.toContain(known());
});

test('response names can be names of prototype properties', () => {
  expect(rootTags('{ toString: top { constructor: id } }', { toString: [{}] })).toEqual(
    tags(typeTag('Query'), typeTag('Product'), known()),
  );
  expect(rootTags('{ toString: top { id } }', {})).toEqual([typeTag('Query')]);
});

test('nested lists are tagged in slices', () => {
  const grid = [Array.from({ length: 100_000 }, () => ({ id: '1' })), [{ id: '2' }]];
  const work = createValueTagger(rootShape('products', '{ grid { id } }'), graph).tagRoot({ grid });
  let pauses = 0;
  let step = work.next();
  for (; step.done !== true; step = work.next()) pauses++;
  expect([...step.value].sort()).toEqual(
    tags(typeTag('Query'), typeTag('Product'), product('1'), product('2'), known('{ id }')),
  );
  expect(pauses).toBeGreaterThan(1_000);
});
