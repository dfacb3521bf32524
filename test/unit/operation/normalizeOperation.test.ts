import { describe, expect, test } from '@jest/globals';
import { normalizeText, printNormalized, schemaOf } from '../../harness/normalize.ts';

const schema = schemaOf(`
  type Query { product(id: ID): Product node: Node things: [Thing!] count(n: Int): Int }
  interface Node { id: ID! }
  type Product implements Node { id: ID! name(case: String): String description: String maker: Maker }
  type Maker implements Node { id: ID! name: String products: [Product!] }
  union Thing = Product | Maker
`);

describe('what the planner gets', () => {
  test.each([
    [
      'fragments are expanded where they always hold',
      '{ product { ...A ... { id } ... on Node { id } } } fragment A on Product { id description }',
      'query { product { id description } }',
    ],
    [
      'a fragment that can never hold is dropped',
      '{ node { ... on Node { id ... on Product { description } ... on Maker { name } } } }',
      'query { node { __typename id ... on Product { description } ... on Maker { name } } }',
    ],
    [
      'fragments on one type are merged, and fields of one response name',
      '{ things { ... on Product { maker { id } } ... on Maker { id } ... on Product { maker { name } } } }',
      'query { things { __typename ... on Product { maker { id name } } ... on Maker { id } } }',
    ],
    [
      'a fragment does not repeat what stands around it',
      '{ node { id ... on Product { id description } ... on Maker { id } } }',
      'query { node { __typename id ... on Product { description } } }',
    ],
    [
      '__typename of the root is not asked for',
      '{ __typename product { __typename id } }',
      'query { product { __typename id } }',
    ],
    [
      'an emptied selection still asks for the object',
      '{ product { id @skip(if: true) } }',
      'query { product { __typename } }',
    ],
    [
      'other directives, arguments and aliases stay',
      'query Q { first: product(id: "1") { loud: name(case: "upper") } }',
      'query Q { first: product(id: "1") { loud: name(case: "upper") } }',
    ],
  ])('%s', (_, text, expected) => {
    expect(printNormalized(schema, text)).toBe(expected);
  });

  test.each([
    ['{ __typename }', undefined],
    ['{ __schema { queryType { name } } }', undefined],
    ['{ product @skip(if: true) { id } }', undefined],
  ])('nothing where no subgraph has to answer: %s', (text, expected) => {
    expect(printNormalized(schema, text)).toBe(expected);
  });

  test.each([
    [{}, 'query { product { id } }'],
    [{ on: true }, 'query { product { id description } }'],
    [{ on: true, off: true }, 'query { product { id } }'],
    [{ off: true }, 'query { product { id } }'],
  ])('@skip and @include are folded by %j and the defaults, the variables gone', (variables, expected) => {
    const text = `query ($on: Boolean = false, $off: Boolean = false) {
      product { id description @include(if: $on) @skip(if: $off) }
    }`;
    expect(printNormalized(schema, text, { variables })).toBe(expected);
  });

  test('conditions on fragments and on __typename are folded', () => {
    const text = `query ($on: Boolean!) {
      product { ... @include(if: $on) { id } ...D @skip(if: $on) __typename @include(if: $on) }
    } fragment D on Product { description }`;
    expect(printNormalized(schema, text, { variables: { on: true } })).toBe(
      'query { product { id __typename } }',
    );
    expect(printNormalized(schema, text, { variables: { on: false } })).toBe(
      'query { product { description } }',
    );
  });

  test('only the variables that are left are declared', () => {
    const text = `query ($id: ID!, $n: Int = 3, $on: Boolean!) {
      product(id: $id) { id } count(n: $n) @include(if: $on)
    }`;
    expect(printNormalized(schema, text, { variables: { id: '1', on: false } })).toBe(
      'query($id: ID!) { product(id: $id) { id } }',
    );
    expect(printNormalized(schema, text, { variables: { id: '1', on: true } })).toBe(
      'query($id: ID!, $n: Int = 3) { product(id: $id) { id } count(n: $n) }',
    );
  });

  test.each([
    ['{ product { id: description } }', 'query { product { _alias_11_description_id: description } }'],
    ['{ product { label: description } }', 'query { product { label: description } }'],
    ['{ product { _x: description } }', 'query { product { _alias_11_description__x: description } }'],
    ['{ product { __proto__: id } }', 'query { product { _alias_2_id___proto__: id } }'],
    ['{ constructor: product { id } }', 'query { _alias_7_product_constructor: product { id } }'],
  ])('aliases that could be taken for something else get a name of their own: %s', (text, expected) => {
    expect(printNormalized(schema, text)).toBe(expected);
  });

  test('names of their own are never equal for two aliases', () => {
    const clashing = schemaOf('type Query { a: Int a_b: Int c: Int b_c: Int }');
    const text = printNormalized(clashing, '{ b_c: a c: a_b }') ?? '';
    const names = [...text.matchAll(/(\w+): a/g)].map(([, name]) => name);
    expect(new Set(names).size).toBe(2);
  });
});

test('what a fragment selects of a field stays between what is selected of it before and after', () => {
  const shows = schemaOf(`
    type Query { show: Show } interface Show { hall: Hall } type Hall { id: ID name: ID seats: ID }
    type Play implements Show { hall: Hall } type Opera implements Show { hall: Hall }
  `);
  const text = '{ show { hall { id } hall { id } ... on Play { hall { name } } hall { seats } } }';
  expect(printNormalized(shows, text)).toBe(
    'query { show { __typename hall { id } ... on Play { hall { name } } hall { seats } } }',
  );
});

describe('deferred fragments', () => {
  test('are numbered from 1 as delivery groups', () => {
    const { deferred } = normalizeText(
      schema,
      '{ product { ... @defer { maker { ... @defer { name } } ... @defer { id } } } ... @defer { count } }',
    );
    expect(deferred.map(({ group }) => group)).toEqual([1, 2, 3, 4]);
  });

  test('carry the number as their label, and without what their surroundings select', () => {
    expect(
      printNormalized(
        schema,
        '{ product { id maker { id } ... @defer(label: "x") { id description maker { id name } } } }',
      ),
    ).toBe('query { product { id maker { id } ... @defer(label: "1") { description maker { name } } } }');
  });

  test('keep the whole selection for the clients that want it', () => {
    const { root } = normalizeText(schema, '{ product { id ... @defer(label: "x") { id } } }');
    const [product] = root.selections;
    const fragment = product?.kind === 'Field' ? product.selectionSet?.selections[1] : undefined;
    expect(fragment).toMatchObject({ kind: 'Deferred', group: 1, label: 'x', own: { selections: [] } });
    expect(fragment?.kind === 'Deferred' ? fragment.full.selections : []).toMatchObject([
      { responseName: 'id' },
    ]);
  });

  test('do not lose to each other what only one of two shares', () => {
    expect(printNormalized(schema, '{ product { ... @defer { id } ... @defer { id description } } }')).toBe(
      'query { product { ... @defer(label: "1") { id } ... @defer(label: "2") { id description } } }',
    );
  });

  test('do not lose a field of the same name with other arguments', () => {
    const text = '{ product { maker { name } ... @defer { other: name(case: "a") } loud: name(case: "b") } }';
    expect(printNormalized(schema, text)).toBe(
      'query { product { maker { name } ... @defer(label: "1") { other: name(case: "a") } loud: name(case: "b") } }',
    );
  });

  test.each([
    ['@defer(if: false)', {}, false],
    ['@defer(if: true)', {}, true],
    ['@defer(if: $v)', { v: true }, true],
    ['@defer(if: $v)', { v: false }, false],
    ['@defer(if: $v)', {}, false],
  ])('%s with %j', (directive, variables, isDeferred) => {
    const text = `query ($v: Boolean! = false) { product { id ... ${directive} { description } } __typename @skip(if: $v) }`;
    expect(normalizeText(schema, text, { variables }).deferred).toHaveLength(isDeferred ? 1 : 0);
  });

  test('are ordinary ones for a client that takes one answer', () => {
    expect(
      printNormalized(schema, '{ product { id ... @defer { id description } } }', { defer: false }),
    ).toBe('query { product { id description } }');
  });
});

test('an operation that grows beyond the bound when expanded is refused', () => {
  const levels = Array.from(
    { length: 20 },
    (_, n) => `fragment F${n} on Maker { products { maker { ...F${n + 1} } other: maker { ...F${n + 1} } } }`,
  );
  const text = `{ product { maker { ...F0 } } } ${levels.join(' ')} fragment F20 on Maker { id }`;
  expect(() => normalizeText(schema, text)).toThrow(
    expect.objectContaining({ code: 'OPERATION_TOO_COMPLEX' }),
  );
});
