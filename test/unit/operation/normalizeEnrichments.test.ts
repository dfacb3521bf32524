import { describe, expect, test } from '@jest/globals';
import type { GraphQLCompositeType } from 'graphql';
import { canBeNull, hasNullablePosition } from '../../../gateway/operation/nullablePositions.ts';
import { enrichmentsAt, normalizeText, printNormalized, schemaOf } from '../../harness/normalize.ts';

const schema = schemaOf(`
  type Query { product: Product must: Product! node: Node things: [Thing!] must2: Must! }
  interface Node { id: ID! score: Int }
  type Product implements Node {
    id: ID!
    score: Int
    rating: Int!
    advice: Advice
    related: [Product!]
    maker: Maker!
    tags(first: Int): [String!]!
  }
  type Maker implements Node { id: ID! score: Int! advice: Advice! shops: [[Shop]!]! }
  type Must { product: Product! rating: Int! }
  type Shop { id: ID! rating: Int! }
  type Advice { text: String! author: Author }
  type Author { name: String! advice: Advice }
  union Thing = Product | Maker
`);

const enrichmentOf = enrichmentsAt(
  'Product.advice',
  'Product.related',
  'Product.rating',
  'Product.tags',
  'Author.advice',
  'Maker.score',
  'Maker.advice',
  'Must.product',
  'Must.rating',
  'Shop.rating',
);

/** The delivery groups after the primary data: the coordinate of an enrichment, or `@defer`. */
const placesOf = (text: string, defer = true): readonly unknown[] =>
  normalizeText(schema, text, { enrichmentOf, defer }).deferred.map(({ group, rule }) => [
    group,
    rule?.coordinate ?? '@defer',
  ]);

describe('an enrichment', () => {
  test('has a delivery group, numbered in document order', () => {
    expect(placesOf('{ product { related { id } id advice { text } } }')).toEqual([
      [1, 'Product.related'],
      [2, 'Product.advice'],
    ]);
  });

  test.each([
    ['of two aliases is two', '{ product { one: tags(first: 1) two: tags(first: 2) } }', ['1', '2']],
    [
      'that is selected twice under one name is one',
      '{ product { advice { text } advice { text } } }',
      ['1'],
    ],
    [
      'that comes by a fragment as well is one',
      '{ product { advice { text } ...A } } fragment A on Product { advice { author { name } } }',
      ['1'],
    ],
    ['that is skipped is none', '{ product { id advice @skip(if: true) { text } } }', []],
  ])('%s', (_, text, ids) => {
    expect(normalizeText(schema, text, { enrichmentOf }).deferred.map(({ group }) => String(group))).toEqual(
      ids,
    );
  });

  test('inside another enrichment is numbered after the enclosing one', () => {
    expect(placesOf('{ product { related { advice { author { advice { text } } } } } }')).toEqual([
      [1, 'Product.related'],
      [2, 'Product.advice'],
      [3, 'Author.advice'],
    ]);
  });

  test("is an ordinary field inside a client's @defer", () => {
    expect(placesOf('{ product { id ... @defer { advice { text } related { id } } } }')).toEqual([
      [1, '@defer'],
    ]);
  });

  test('is also recognized when @defer is disabled', () => {
    expect(placesOf('{ product { id ... @defer { advice { text } } } }', false)).toEqual([
      [1, 'Product.advice'],
    ]);
  });

  test('is delivered as a whole, and @defer inside it is ignored', () => {
    expect(placesOf('{ product { related { id ... @defer { score } } } }')).toEqual([[1, 'Product.related']]);
  });

  test.each([
    ['of the same field', '{ product { advice { text } ... @defer { advice { author { name } } } } }', []],
    ['of an object around it', '{ product { rating } ... @defer { product { id } } }', []],
    [
      'of an object around it, by a fragment',
      '{ ... { product { advice { text } } } ...A @defer } fragment A on Query { ... { product { id } } }',
      [],
    ],
    [
      'of the same field of a type',
      '{ node { ... on Product { advice { text } } ... @defer { ... on Product { advice { author { name } } } } } }',
      [],
    ],
    [
      'of it under another name',
      '{ product { advice { text } ... @defer { other: advice { text } } } }',
      ['Product.advice'],
    ],
    [
      'of another field beside it',
      '{ product { advice { text } rating ... @defer { score } } }',
      ['Product.advice', 'Product.rating'],
    ],
  ])('is an ordinary field when the client defers a part %s', (_, text, coordinates) => {
    const { deferred } = normalizeText(schema, text, { enrichmentOf });
    expect(deferred.flatMap(({ rule }) => rule?.coordinate ?? [])).toEqual(coordinates);
  });

  test('of an object type is recognized in a fragment on that type, but not in a selection on its interface', () => {
    expect(placesOf('{ node { score } }')).toEqual([]);
    expect(placesOf('{ node { ... on Maker { score } ... on Product { advice { text } } } }')).toEqual([
      [1, 'Maker.score'],
      [2, 'Product.advice'],
    ]);
  });

  test('in fragments on several union members is recognized in each of them', () => {
    expect(
      placesOf('{ things { ... on Product { advice { text } } ... on Maker { more: advice { text } } } }'),
    ).toEqual([
      [1, 'Product.advice'],
      [2, 'Maker.advice'],
    ]);
  });

  test('with a non-null type is recognized when an enclosing position is nullable', () => {
    expect(placesOf('{ product { rating maker { advice { text } } } }')).toEqual([
      [1, 'Product.rating'],
      [2, 'Maker.advice'],
    ]);
  });

  test('with a non-null type is an ordinary field when no enclosing position is nullable', () => {
    expect(placesOf('{ must2 { rating product { rating maker { advice { text } } } } }')).toEqual([]);
    expect(placesOf('{ must2 { product { advice { text } } } }')).toEqual([[1, 'Product.advice']]);
  });

  test('with a non-null type is recognized in a list with nullable elements', () => {
    expect(placesOf('{ must { maker { shops { rating } } } }')).toEqual([[1, 'Shop.rating']]);
  });

  test('does not exist without rules', () => {
    expect(normalizeText(schema, '{ product { advice { text } } }').deferred).toEqual([]);
  });
});

describe('the planner document with enrichments', () => {
  const ask = (text: string, defer = true) => printNormalized(schema, text, { enrichmentOf, defer });

  test.each([
    [
      'each is a deferred fragment with its number',
      '{ product { id also: advice { text } related { id } } }',
      'query { product { id ... @defer(label: "1") { also: advice { text } } ' +
        '... @defer(label: "2") { related { id } } } }',
    ],
    [
      'those within another are within its fragment',
      '{ product { related { advice { text } } } }',
      'query { product { ... @defer(label: "1") { related { ... @defer(label: "2") { advice { text } } } } } }',
    ],
    [
      'beside uses of `@defer`',
      '{ product { advice { text } ... @defer(label: "mine") { related { id } } } }',
      'query { product { ... @defer(label: "2") { advice { text } } ... @defer(label: "1") { related { id } } } }',
    ],
  ])('%s', (_, text, expected) => {
    expect(ask(text)).toBe(expected);
  });

  test('with many aliases is in one fragment with those that share its delivery group', () => {
    const aliases = Array.from({ length: 18 }, (_, index) => `a${index}: tags(first: ${index})`);
    const printed = ask(`{ product { ${aliases.join(' ')} advice { text } } }`);
    const fragments = Array.from(printed?.matchAll(/@defer\(label: "(\d+)"\) \{ ([^}]*) \}/g) ?? []);
    expect(fragments.slice(14).map(([, group, fields]) => [group, fields])).toEqual([
      ['15', 'a14: tags(first: 14)'],
      ['16', 'a15: tags(first: 15) a16: tags(first: 16) a17: tags(first: 17)'],
      ['17', 'advice { text'],
    ]);
  });

  test('contains enrichments as ordinary fields when printed without @defer', () => {
    expect(ask('{ product { advice { text } } }', false)).toBe('query { product { advice { text } } }');
  });
});

describe('nullable positions', () => {
  const typeOf = (name: string) => schema.getType(name) as GraphQLCompositeType;

  test.each([
    ['Product', 'score', true],
    ['Product', 'rating', false],
    ['Product', 'related', true],
    ['Product', 'tags', false],
    // A maker's is non-null.
    ['Node', 'score', false],
    ['Node', 'id', false],
  ])('canBeNull of %s.%s is %s', (type, field, expected) => {
    expect(canBeNull(schema, typeOf(type), field)).toBe(expected);
  });

  test.each([
    ['Product', 'tags', false],
    ['Product', 'related', true],
    ['Maker', 'shops', true],
    ['Query', 'must', false],
    ['Query', 'things', true],
    ['Node', 'score', false],
  ])('hasNullablePosition of %s.%s is %s', (type, field, expected) => {
    expect(hasNullablePosition(schema, typeOf(type), field)).toBe(expected);
  });
});
