import { expect, test } from '@jest/globals';
import { parseInvalidationRequest } from '../../../../gateway/cache/invalidation/invalidationRequest.ts';
import { readCacheGraph } from '../../../../gateway/cache/rules/cacheGraph.ts';
import { createValueTagger } from '../../../../gateway/cache/tags/valueTags.ts';
import type { FetchShape } from '../../../../gateway/execution/fetchShape.ts';
import { runToCompletion } from '../../../../gateway/time/slicedTask.ts';
import {
  composeCachedDocument,
  entityShape,
  rootShape,
  withCached,
} from '../../../harness/cachedSubgraphs.ts';

const graph = readCacheGraph(
  await composeCachedDocument({
    products: withCached(`
      type Query { top: [Product!] media: Media search: [Result] unused: Unused }
      interface Unused { name: String }
      type Product @key(fields: "id") @key(fields: "upc") @key(fields: "sku vendor { code }") {
        id: ID! upc: ID sku: String name: String vendor: Vendor
      }
      type Vendor @key(fields: "code") { code: ID! name: String }
      interface Media @key(fields: "id") { id: ID! title: String }
      type Book implements Media @key(fields: "id") @key(fields: "isbn") { id: ID! title: String isbn: ID }
      type Film implements Media @key(fields: "id") { id: ID! title: String }
      union Result = Product | Vendor
      type Wide @key(fields: "a") @key(fields: "b") @key(fields: "c") @key(fields: "d")
                @key(fields: "e") @key(fields: "f") @key(fields: "g") @key(fields: "h") {
        a: ID b: ID c: ID d: ID e: ID f: ID g: ID h: ID name: String
      }
    `),
    reviews: withCached(`
      type Media @interfaceObject @key(fields: "id") { id: ID! rating: Int }
    `),
  }),
);

const named = (typename: string, more: Record<string, unknown>) => ({ __typename: typename, ...more });

function entityEntry(
  typename: string,
  key: Record<string, unknown>,
  selected = 'name',
  value: unknown = {},
): string[] {
  const shape = entityShape('products', `... on ${typename} { ${selected} }`);
  return tagsOf(shape, named(typename, key), value);
}

function tagsOf(shape: FetchShape, representation: Record<string, unknown>, value: unknown): string[] {
  return [...runToCompletion(createValueTagger(shape, graph).tagEntity(representation, value))];
}

function root(operation: string, data: unknown): string[] {
  return [...runToCompletion(createValueTagger(rootShape('products', operation), graph).tagRoot(data))];
}

const rated = (id: string) =>
  tagsOf(entityShape('reviews', '... on Media { rating }'), named('Media', { id }), {});

const byUpc = entityEntry('Product', { upc: 'u1' });
const byAll = entityEntry('Product', { id: '1' }, 'upc sku vendor { code }', {
  upc: 'u1',
  sku: 's1',
  vendor: { code: 'v' },
});
const byId = entityEntry('Product', { id: 1 });
const nameless = root('{ top { name } }', { top: [{ name: 'a' }] });
const book = root('{ media { __typename id } }', { media: { __typename: 'Book', id: '1' } });
const film = root('{ media { __typename id } }', { media: { __typename: 'Film', id: '1' } });
const someMedia = root('{ media { id } }', { media: { id: '1' } });

const entries: Readonly<Record<string, readonly string[]>> = {
  byUpc,
  byAll,
  byId,
  nameless,
  book,
  film,
  someMedia,
  rated: rated('1'),
  ratedOther: rated('2'),
  isbn: entityEntry('Book', { isbn: 'i' }, 'title'),
  wide: entityEntry('Wide', { a: '1' }),
  wideOther: entityEntry('Wide', { b: '1', a: '2', c: '', d: '', e: '', f: '', g: '', h: '' }),
  vendor: entityEntry('Vendor', { code: 'v' }),
  unused: root('{ unused { name } }', { unused: { name: 'a' } }),
};

test.each<[string, unknown, readonly string[]]>([
  ['an entity', [named('Product', { id: '1' })], ['byUpc', 'byAll', 'byId', 'nameless']],
  ['another entity', [named('Product', { id: '2' })], ['byUpc', 'nameless']],
  ['an entity by a number', [named('Product', { id: 1 })], ['byUpc', 'byAll', 'byId', 'nameless']],
  ['an entity by two keys', [named('Product', { id: '1', upc: 'u2' })], ['byAll', 'byId', 'nameless']],
  [
    'another entity by all keys',
    [named('Product', { id: '2', upc: 'u2', sku: 's', vendor: { code: 'v' } })],
    ['nameless'],
  ],
  [
    'an entity by a nested key',
    [named('Product', { vendor: { code: 'v' }, sku: 's1' })],
    ['byUpc', 'byAll', 'byId', 'nameless'],
  ],
  [
    'an entity by a nested key with another value',
    [named('Product', { vendor: { code: 'w' }, sku: 's1' })],
    ['byUpc', 'byId', 'nameless'],
  ],
  [
    'an object type by its interface’s key',
    [named('Book', { id: '1' })],
    ['book', 'someMedia', 'rated', 'isbn'],
  ],
  [
    'an object type by its own key',
    [named('Book', { isbn: 'i' })],
    ['book', 'someMedia', 'rated', 'ratedOther', 'isbn'],
  ],
  ['an interface', [named('Media', { id: '1' })], ['book', 'film', 'someMedia', 'rated', 'isbn']],
  ['another object of an interface', [named('Media', { id: '3' })], ['isbn']],
  ['an entity of a type with many keys', [named('Wide', { a: '1' })], ['wide', 'wideOther']],
])('invalidating %s deletes the entries that may contain it', (_, entities, expected) => {
  const read = parseInvalidationRequest({ entities }, graph);
  if (read.kind === 'invalid') throw new Error(read.reasons.join('\n'));
  const hit = Object.entries(entries).filter(([, tags]) => tags.some((tag) => read.tags.includes(tag)));
  expect(hit.map(([name]) => name)).toEqual(expected);
});

test.each<[string, unknown, readonly string[]]>([
  ['an object type', ['Book'], ['book', 'someMedia', 'rated', 'ratedOther', 'isbn']],
  ['an interface', ['Media'], ['book', 'film', 'someMedia', 'rated', 'ratedOther', 'isbn']],
  ['an interface without object types', ['Unused'], ['unused']],
  ['a union', ['Result'], ['byUpc', 'byAll', 'byId', 'nameless', 'vendor']],
  ['the root type', ['Query'], ['nameless', 'book', 'film', 'someMedia', 'unused']],
])('invalidating %s as a type deletes the entries that may contain its objects', (_, types, expected) => {
  const read = parseInvalidationRequest({ types }, graph);
  if (read.kind === 'invalid') throw new Error(read.reasons.join('\n'));
  const hit = Object.entries(entries).filter(([, tags]) => tags.some((tag) => read.tags.includes(tag)));
  expect(hit.map(([name]) => name)).toEqual(expected);
});
