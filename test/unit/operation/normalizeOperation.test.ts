import { describe, expect, test } from '@jest/globals';
import { deferMarker } from '../../../gateway/operation/printOperation.ts';
import { normalizeText, printNormalized, schemaOf } from '../../harness/normalize.ts';

const schema = schemaOf(`
  type Query { product(id: ID): Product node: Node things: [Thing!] count(n: Int): Int }
  interface Node { id: ID! }
  interface Titled { name(case: String): String }
  type Product implements Node & Titled { id: ID! name(case: String): String description: String maker: Maker }
  type Maker implements Node { id: ID! name: String products: [Product!] }
  union Thing = Product | Maker
  directive @once(n: Int) on FIELD
  directive @often(n: Int) repeatable on FIELD
`);

describe('the planner document of a normalized operation', () => {
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
      'a fragment that can never hold because of one around it is dropped, as the planner would refuse it',
      '{ things { ... on Titled { ... on Node { ... on Product { id } ... on Maker { name } } } } }',
      'query { things { __typename ... on Titled { ... on Node { ... on Product { id } } } } }',
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
      '__typename of the root is not fetched',
      '{ __typename product { __typename id } }',
      'query { product { __typename id } }',
    ],
    [
      'an emptied selection still fetches the object',
      '{ product { id @skip(if: true) } }',
      'query { product { __typename } }',
    ],
    [
      'merged fields have a directive once, if it is not repeatable',
      '{ product @once(n: 1) { id @often(n: 1) } ...F } fragment F on Query { product @once(n: 2) { id @often(n: 2) } }',
      'query { product @once(n: 1) { id @often(n: 1) @often(n: 2) } }',
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
  ])('does not exist for an operation that needs no subgraph: %s', (text, expected) => {
    expect(printNormalized(schema, text)).toBe(expected);
  });

  test.each([
    [{}, 'query { product { id } }'],
    [{ on: true }, 'query { product { id description } }'],
    [{ on: true, off: true }, 'query { product { id } }'],
    [{ off: true }, 'query { product { id } }'],
  ])('folds @skip and @include by %j and the defaults, and drops their variables', (variables, expected) => {
    const text = `query ($on: Boolean = false, $off: Boolean = false) {
      product { id description @include(if: $on) @skip(if: $off) }
    }`;
    expect(printNormalized(schema, text, { variables })).toBe(expected);
  });

  test('folds conditions on fragments and on __typename', () => {
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

  test('declares only the variables that it still uses', () => {
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

  test('has neither descriptions, which older servers refuse, nor block strings, which could look like a @defer', () => {
    const text = `"Finds" query Find("Which" $id: ID = """a "b" c""") {
      product(id: $id) { name(case: """x @defer(label: "1")""") ...F }
    } "Part" fragment F on Product { id }`;
    const printed = printNormalized(schema, text);
    expect(printed).toBe(
      String.raw`query Find($id: ID = "a \"b\" c") { product(id: $id) { name(case: "x @defer(label: \"1\")") id } }`,
    );
    expect(printed).not.toContain(deferMarker);
  });

  test.each([
    ['{ product { id: description } }', 'query { product { _alias_11_description_id: description } }'],
    ['{ product { label: description } }', 'query { product { label: description } }'],
    ['{ product { _x: description } }', 'query { product { _alias_11_description__x: description } }'],
    ['{ product { __proto__: id } }', 'query { product { _alias_2_id___proto__: id } }'],
    ['{ constructor: product { id } }', 'query { _alias_7_product_constructor: product { id } }'],
  ])('renames aliases that equal the name of another field: %s', (text, expected) => {
    expect(printNormalized(schema, text)).toBe(expected);
  });

  test('has different internal names for different aliases', () => {
    const clashing = schemaOf('type Query { a: Int a_b: Int c: Int b_c: Int }');
    const text = printNormalized(clashing, '{ b_c: a c: a_b }') ?? '';
    const names = [...text.matchAll(/(\w+): a/g)].map(([, name]) => name);
    expect(new Set(names).size).toBe(2);
  });
});

test('the selections of a field inside a fragment stay between its selections before and after the fragment', () => {
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
  test('are numbered from 1 by delivery group', () => {
    const { deferred } = normalizeText(
      schema,
      '{ product { ... @defer { maker { ... @defer { name } } ... @defer { id } } } ... @defer { count } }',
    );
    expect(deferred.map(({ group }) => group)).toEqual([1, 2, 3, 4]);
  });

  test('have the delivery group as their label, and omit fields of enclosing selections', () => {
    expect(
      printNormalized(
        schema,
        '{ product { id maker { id } ... @defer(label: "x") { id description maker { id name } } } }',
      ),
    ).toBe('query { product { id maker { id } ... @defer(label: "1") { description maker { name } } } }');
  });

  test.each([
    [
      'on the type of the deferred fragment',
      '{ node { ... on Product { maker { id } } ... on Product @defer { maker { id name } } } }',
      'query { node { __typename ... on Product { maker { id } } ... on Product @defer(label: "1") { maker { name } } } }',
    ],
    [
      'on the type of a fragment inside',
      '{ node { ... on Product { maker { id } } ... @defer { ... on Product { maker { id name } } } } }',
      'query { node { __typename ... on Product { maker { id } } ... @defer(label: "1") { ... on Product { maker { name } } } } }',
    ],
    [
      'on a type that the fragment is for, too',
      '{ things { ... on Node { id } ... on Product @defer { id description } } }',
      'query { things { __typename ... on Node { id } ... on Product @defer(label: "1") { description } } }',
    ],
    [
      'inside the same field',
      '{ node { ... on Product { id } } ... @defer { node { ... on Product { id description } } } }',
      'query { node { __typename ... on Product { id } } ... @defer(label: "1") { node { __typename ... on Product { description } } } }',
    ],
    [
      'and not on other types',
      '{ things { ... on Product { id } ... on Maker @defer { id } ... on Node @defer { id } } }',
      'query { things { __typename ... on Product { id } ... on Maker @defer(label: "1") { id } ... on Node @defer(label: "2") { id } } }',
    ],
  ])('omit fields of enclosing fragments %s', (_, text, expected) => {
    expect(printNormalized(schema, text)).toBe(expected);
  });

  test('retain their full selection for clients of the older format', () => {
    const { root } = normalizeText(schema, '{ product { id ... @defer(label: "x") { id } } }');
    const [product] = root.selections;
    const fragment = product?.kind === 'Field' ? product.selectionSet?.selections[1] : undefined;
    expect(fragment).toMatchObject({ kind: 'Deferred', group: 1, label: 'x', own: { selections: [] } });
    expect(fragment?.kind === 'Deferred' ? fragment.full.selections : []).toMatchObject([
      { responseName: 'id' },
    ]);
  });

  test('retain a field that only one of two fragments shares with enclosing selections', () => {
    expect(printNormalized(schema, '{ product { ... @defer { id } ... @defer { id description } } }')).toBe(
      'query { product { ... @defer(label: "1") { id } ... @defer(label: "2") { id description } } }',
    );
  });

  test('retain a field of the same name with different arguments', () => {
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
  ])('with %s and variables %j are folded', (directive, variables, isDeferred) => {
    const text = `query ($v: Boolean! = false) { product { id ... ${directive} { description } } __typename @skip(if: $v) }`;
    expect(normalizeText(schema, text, { variables }).deferred).toHaveLength(isDeferred ? 1 : 0);
  });

  test('are ordinary fragments for a client without incremental delivery', () => {
    expect(
      printNormalized(schema, '{ product { id ... @defer { id description } } }', { defer: false }),
    ).toBe('query { product { id description } }');
  });
});

test('an operation that exceeds the maximum number of selections after expansion is refused', () => {
  const levels = Array.from(
    { length: 20 },
    (_, n) => `fragment F${n} on Maker { products { maker { ...F${n + 1} } other: maker { ...F${n + 1} } } }`,
  );
  const text = `{ product { maker { ...F0 } } } ${levels.join(' ')} fragment F20 on Maker { id }`;
  expect(() => normalizeText(schema, text)).toThrow(
    expect.objectContaining({
      code: 'OPERATION_TOO_COMPLEX',
      extensions: { limit: 'recursiveSelections', value: 1001, allowed: 1000 },
    }),
  );
});
