import { describe, expect, test } from '@jest/globals';
import { buildSchema, parse, validate } from 'graphql';
import { canonicalizeOperation } from '../../../gateway/operation/canonicalizeOperation.ts';

const schema = buildSchema(`
  directive @defer(if: Boolean! = true, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT
  scalar Date
  enum Order { NEWEST OLDEST }
  input Range { from: Float to: Float }
  input Filter { text: String tags: [String!] range: Range order: Order inStock: Boolean ranges: [Range!] }
  type Product { id: ID! name(language: String = "en"): String price: Float related(first: Int!): [Product!] }
  type Query {
    product(id: ID!): Product
    search(filter: Filter, first: Int, since: Date): [Product!]
  }
  type Mutation { first(text: String): Int second(text: String): Int }
`);

function normalised(text: string, name?: string) {
  const document = parse(text);
  expect(validate(schema, document)).toEqual([]);
  const operation = canonicalizeOperation(document, name);
  expect(validate(schema, parse(operation.text))).toEqual([]);
  return operation;
}

describe('a canonical operation', () => {
  test('has no literals of the client and is still valid', () => {
    const { text } = normalised(`
      query Find($first: Int = 25, $since: Date = "2026-01-31") {
        search(first: $first, since: $since, filter: {
          text: """secret""", tags: ["b", "a"], range: { to: 2.5, from: 1 }, order: OLDEST, inStock: true,
          ranges: [{ to: 1 }, { from: 2.5 }, { to: 7 }]
        }) { name(language: "de") related(first: 3) { id } }
        product(id: 17) { id }
      }`);
    expect(text).toBe(
      `query Find($first: Int = 0, $since: Date = "") {
  product(id: 0) {
    id
  }
  search(
    filter: {inStock: true, order: OLDEST, range: {from: 0, to: 0}, ranges: [{from: 0}, {to: 0}], tags: [""], text: ""}
    first: $first
    since: $since
  ) {
    name(language: "")
    related(first: 0) {
      id
    }
  }
}
`,
    );
  });

  test('is equal for every way to write the operation', () => {
    const one = normalised(
      'query A($b: Int, $a: ID!) { search(first: $b) { name id } product(id: $a) { ...F } } fragment F on Product { price id }',
    );
    const other = normalised(
      '"Finds" query A("Which" $a: ID!, $b: Int) { product(id: $a) { ...F } # note\n search(first: $b) { id, name } } """Part""" fragment F on Product { id price }',
    );
    expect(other).toEqual(one);
    expect(one.hash).toMatch(/^[0-9a-f]{12}$/);
  });

  test('has sorted selections at every depth', () => {
    const one =
      'query A { product(id: "1") { ... on Product { related(first: 2) { name id } } ...F id @skip(if: true) } }';
    const other =
      'query A { product(id: "1") { id @skip(if: true) ...F ... on Product { related(first: 1) { id name } } } }';
    const fragment = 'fragment F on Product { price }';
    expect(normalised(`${one} ${fragment}`)).toEqual(normalised(`${fragment} ${other}`));
  });

  test('differs when the selection differs', () => {
    const texts = [
      'query A { product(id: "1") { id } }',
      'query B { product(id: "1") { id } }',
      'query A { product(id: "1") { id name } }',
      'query A { p: product(id: "1") { id } }',
      'query A { search(filter: { order: NEWEST }) { id } }',
      'query A { search(filter: { order: OLDEST }) { id } }',
    ];
    expect(new Set(texts.map((text) => normalised(text).hash)).size).toBe(texts.length);
  });

  test('contains one operation and the fragments that it uses', () => {
    const document = `
      query A { product(id: "1") { ...Outer } }
      query B { product(id: "1") { ...Other } }
      fragment Other on Product { id }
      fragment Outer on Product { ...Inner }
      fragment Inner on Product { name }`;
    expect(normalised(document, 'A').text).toBe(`query A {
  product(id: "") {
    ...Outer
  }
}

fragment Inner on Product {
  name
}

fragment Outer on Product {
  ...Inner
}
`);
  });

  test("keeps the order of a mutation's fields, also in fragments", () => {
    const text = 'mutation M { second(text: "x") ...F } fragment F on Mutation { b: second a: first }';
    expect(normalised(text).text).toBe(`mutation M {
  second(text: "")
  ...F
}

fragment F on Mutation {
  b: second
  a: first
}
`);
  });

  test('keeps conditions and labels of @defer', () => {
    const text = `query D {
      product(id: "1") {
        ... @defer(label: "one") { name }
        ... @defer(label: "two") { price }
        id @skip(if: false)
      }
    }`;
    expect(normalised(text).text).toBe(`query D {
  product(id: "") {
    ... @defer(label: "one") {
      name
    }
    ... @defer(label: "two") {
      price
    }
    id @skip(if: false)
  }
}
`);
  });

  test('has a generated name when the operation has none', () => {
    const { label, hash, text } = normalised('{ product(id: "1") { id } }');
    expect(label).toBe('Anonymous');
    expect(text).toContain(`query Anonymous_${hash} {`);
  });
});
