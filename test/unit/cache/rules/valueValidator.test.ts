import { describe, expect, test } from '@jest/globals';
import { readCacheGraph } from '../../../../gateway/cache/rules/cacheGraph.ts';
import { createValueValidator } from '../../../../gateway/cache/rules/valueValidator.ts';
import {
  composeCachedDocument,
  entityShape,
  rootShape,
  withCached,
} from '../../../harness/cachedSubgraphs.ts';

const graph = readCacheGraph(
  await composeCachedDocument({
    products: withCached(`
      type Query { top: Product must: Product! list: [Product!] grid: [[Int!]]! search: [Result!] named: Named shared: Result @shareable anything: Any }
      type Product implements Named @key(fields: "id") {
        id: ID! name: String price: Float count: Int isNew: Boolean colour: Colour extra: Any size: Size! toString: String
      }
      type Size { width: Int! }
      type Maker implements Named { name: String boss: Maker }
      interface Named { name: String }
      interface Media @key(fields: "id") { id: ID! title: String! }
      type Book implements Media @key(fields: "id") { id: ID! title: String! pages: Int }
      union Result = Product | Maker
      enum Colour { RED GREEN }
      scalar Any
    `),
    reviews: withCached(`
      type Query { shared: Product @shareable rated: Media }
      type Media @interfaceObject @key(fields: "id") { id: ID! rating: Int! }
      type Product @key(fields: "id") { id: ID! }
    `),
  }),
);

const findInRoot = (operation: string, value: unknown, name?: string, subgraph = 'products') =>
  createValueValidator(rootShape(subgraph, operation), graph).findInvalidInRoot(name, value);

const findInEntity = (selections: string, type: string, value: unknown, subgraph = 'products') =>
  createValueValidator(entityShape(subgraph, selections), graph).findInvalidInEntity(type, value);

const product = '... on Product { __typename alias: name price count isNew colour extra size { width } }';
const valid = {
  __typename: 'Product',
  alias: 'a',
  price: 1.5,
  count: 1,
  isNew: true,
  colour: 'RED',
  extra: { any: ['thing'] },
  size: { width: 1 },
};

describe('The value of an entity', () => {
  test('has to have the fields of all selections of a field, unless each of them may be left out', () => {
    const find = (selections: string, value: unknown) =>
      findInEntity(`... on Product { ${selections} }`, 'Product', value);
    const several = 'size { width } size { also: width }';
    expect(find(several, { size: { width: 1, also: 1 } })).toBeUndefined();
    expect(find(several, { size: { width: 1 } })).toBe('Size.width');
    expect(find(several, { size: { also: 1 } })).toBe('Size.width');
    const once = 'size @include(if: true) { width }';
    const always = `size { width } ${once}`;
    expect([find(once, {}), find(always, {}), find(`${once} size { width }`, {})]).toStrictEqual([
      undefined,
      'Product.size',
      'Product.size',
    ]);
  });

  test.each([
    ['all fields', valid],
    ['null in nullable fields', { ...valid, alias: null, price: null, colour: null, extra: null }],
    ['further fields', { ...valid, more: 1 }],
    ['leaf values that can be converted', { ...valid, alias: 5, count: '5', isNew: 1, price: '2.5' }],
    ['null instead of the entity', null],
  ])('is valid with %s', (_, value) => {
    expect(findInEntity(product, 'Product', value)).toBeUndefined();
  });

  const { alias: _, ...withoutAlias } = valid;
  test.each<[string, unknown, string]>([
    ['a text in place of the object', 'abc', 'Product'],
    ['a list in place of the object', [valid], 'Product'],
    ['nothing in it', {}, 'Product.__typename'],
    ['the name of another type', { ...valid, __typename: 'Maker' }, 'Product.__typename'],
    ['a missing field', withoutAlias, 'Product.name'],
    ['an object in place of a text', { ...valid, alias: {} }, 'Product.name'],
    ['a text in place of a number', { ...valid, count: 'abc' }, 'Product.count'],
    ['a fraction in place of an Int', { ...valid, count: 1.5 }, 'Product.count'],
    ['a number beyond the range', { ...valid, price: Number.POSITIVE_INFINITY }, 'Product.price'],
    ['an unknown enum value', { ...valid, colour: 'BLUE' }, 'Product.colour'],
    ['an infinite custom scalar', { ...valid, extra: Number.POSITIVE_INFINITY }, 'Product.extra'],
    ['an infinite number in one', { ...valid, extra: { a: [Number.POSITIVE_INFINITY] } }, 'Product.extra'],
    ['null in a non-null field', { ...valid, size: null }, 'Product.size'],
    ['null in a nested non-null field', { ...valid, size: { width: null } }, 'Size.width'],
    ['a nested object without the field', { ...valid, size: {} }, 'Size.width'],
  ])('is invalid with %s', (_, value, coordinate) => {
    expect(findInEntity(product, 'Product', value)).toBe(coordinate);
  });

  test('needs only the fields of its own type, from several fragments', () => {
    const selections = '... on Product { name } ... on Named { price: name } ... on Book { pages }';
    expect(findInEntity(selections, 'Product', { name: 'a', price: 'b' })).toBeUndefined();
    expect(findInEntity(selections, 'Product', { name: 'a' })).toBe('Product.name');
    expect(findInEntity(selections, 'Book', { pages: 1 })).toBeUndefined();
    expect(findInEntity(selections, 'Book', {})).toBe('Book.pages');
  });

  test('may leave out a field that @include or @skip may leave out, but not with a wrong type', () => {
    const selections = '... on Product { name @include(if: $a) ... @skip(if: $a) { count } }';
    expect(findInEntity(selections, 'Product', {})).toBeUndefined();
    expect(findInEntity(selections, 'Product', { count: 'abc' })).toBe('Product.count');
  });

  test('must have a field that is named like a member of Object.prototype', () => {
    expect(findInEntity('... on Product { toString }', 'Product', {})).toBe('Product.toString');
    expect(findInEntity('... on Product { toString }', 'Product', { toString: 'a' })).toBeUndefined();
  });

  test('may be that of an implementation if it was fetched by its interface', () => {
    const selections = '... on Media { __typename title ... on Book { pages } }';
    expect(findInEntity(selections, 'Media', { __typename: 'Book', title: 'a', pages: 1 })).toBeUndefined();
    expect(findInEntity(selections, 'Media', { __typename: 'Book', title: null, pages: 1 })).toBe(
      'Book.title',
    );
    expect(findInEntity(selections, 'Media', { __typename: 'Product', title: 'a' })).toBe('Media.__typename');
  });

  test('of an @interfaceObject has the name of the interface', () => {
    const selections = '... on Media { __typename rating }';
    expect(findInEntity(selections, 'Media', { __typename: 'Media', rating: 5 }, 'reviews')).toBeUndefined();
    expect(findInEntity(selections, 'Media', { __typename: 'Media', rating: null }, 'reviews')).toBe(
      'Media.rating',
    );
  });
});

describe('The value of a root field', () => {
  test.each<[string, unknown, string | undefined]>([
    ['{ top { name } }', null, undefined],
    ['{ top { name } }', { name: 'a' }, undefined],
    ['{ top { name } }', {}, 'Product.name'],
    ['{ must { name } }', null, 'Query.must'],
    ['{ list { name } }', [{ name: 'a' }, { name: null }], undefined],
    ['{ list { name } }', [{ name: 'a' }, null], 'Query.list'],
    ['{ list { name } }', { name: 'a' }, 'Query.list'],
    ['{ grid }', [[1], null, []], undefined],
    ['{ grid }', [[null]], 'Query.grid'],
    ['{ grid }', [1], 'Query.grid'],
    ['{ anything }', { a: [null] }, undefined],
  ])('is validated with its lists and nulls: %s %j', (operation, value, expected) => {
    const name = /\w+/.exec(operation)?.[0] as string;
    expect(findInRoot(operation, value, name)).toBe(expected);
    expect(findInRoot(operation, { [name]: value })).toBe(expected);
  });

  test.each<[unknown, string | undefined]>([
    [
      [
        { __typename: 'Product', price: 1 },
        { __typename: 'Maker', boss: null },
      ],
      undefined,
    ],
    [[{ __typename: 'Product', price: 'abc' }], 'Product.price'],
    [[{ __typename: 'Maker' }], 'Maker.boss'],
    [[{ __typename: 'Book' }], 'Result.__typename'],
    [[{ __typename: 'Unknown' }], 'Result.__typename'],
    [[{ __typename: 'Result' }], 'Result.__typename'],
    [[{ price: 1 }], 'Result.__typename'],
  ])('is validated by the runtime type of its objects: %j', (value, expected) => {
    const operation =
      '{ search { __typename ... on Product { price } ... on Maker { boss { __typename } } } }';
    expect(findInRoot(operation, value, 'search')).toBe(expected);
  });

  test('needs no __typename if the subgraph has an object type for a union', () => {
    expect(findInRoot('{ shared { id } }', { id: '1' }, 'shared', 'reviews')).toBeUndefined();
    expect(findInRoot('{ shared { id } }', { id: null }, 'shared', 'reviews')).toBe('Product.id');
  });
});
