import { describe, expect, test } from '@jest/globals';
import {
  buildASTSchema,
  getIntrospectionQuery,
  type OperationDefinitionNode,
  parse,
  validate,
} from 'graphql';
import { parseExactJson } from '../../../gateway/json/exactJson.ts';
import { compileCost } from '../../../gateway/operation/compileCost.ts';
import { readCostRules } from '../../../gateway/operation/costRules.ts';

const sdl = parse(`
  schema
    @link(url: "https://specs.apollo.dev/link/v1.0")
    @link(url: "https://specs.apollo.dev/cost/v0.1", import: [{ name: "@cost", as: "@price" }, "@listSize"])
  { query: Query mutation: Mutation }
  directive @link(url: String, import: [link__Import], for: String) repeatable on SCHEMA
  scalar link__Import
  directive @price(weight: Int!) on ARGUMENT_DEFINITION | ENUM | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT | SCALAR
  directive @listSize(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!], requireOneSlicingArgument: Boolean = true) on FIELD_DEFINITION
  type Query {
    product: Product
    products: [Product!]!
    top: [Product] @listSize(assumedSize: 3)
    search(first: Int, last: Int, page: Page): [Product] @listSize(assumedSize: 50, slicingArguments: ["first", "last", "page.size"])
    latest(first: Int = 7): [Product] @listSize(slicingArguments: ["first"])
    any(first: Int, last: Int): [Product] @listSize(slicingArguments: ["first", "last"], requireOneSlicingArgument: false)
    connection(first: Int): Connection @listSize(slicingArguments: ["first"], sizedFields: ["edges", "nodes"])
    paged(page: Page): [Product] @listSize(assumedSize: 50, slicingArguments: ["page.first"])
    node: Node
    found: [Found]
    shop: Shop
    filtered(filter: Filter, limit: Int @price(weight: 4)): Int
  }
  type Mutation { buy: Product rename(name: String): Product @price(weight: 5) }
  input Page { size: Int first: Int = 30 }
  input Filter { name: String @price(weight: 2) and: [Filter!] }
  type Connection { edges: [Edge] nodes: [Product] pageInfo: PageInfo }
  type Edge { node: Product }
  type PageInfo { hasNext: Boolean }
  interface Node { id: ID }
  union Found = Product | Seller | Review
  type Product implements Node { id: ID name: String stock: Int @price(weight: 3) reviews: [Review] seller: Seller related: [Product] }
  type Seller implements Node @price(weight: 20) { id: ID name: String rating: Rating logo: Image }
  interface Shop { stock: [Review] near(first: Int): [Shop] far: Shop opened(in: Int): Int }
  type Stall implements Shop {
    stock: [Review] @price(weight: 4) @listSize(assumedSize: 3)
    near(first: Int): [Shop] @listSize(slicingArguments: ["first"])
    far: Stall
    opened(in: Int @price(weight: 5)): Int
  }
  type Market implements Shop @price(weight: 2) {
    stock: [Review] @listSize(assumedSize: 100)
    near(first: Int, last: Int = 7): [Shop] @listSize(slicingArguments: ["last"])
    far: Market
    opened(in: Int): Int
  }
  type Review { body: String author: Seller }
  enum Rating @price(weight: 2) { GOOD BAD }
  scalar Image @price(weight: 6)
`);
const schema = buildASTSchema(sdl);
const rules = readCostRules(sdl);

function estimate(text: string, variables: Readonly<Record<string, unknown>> = {}) {
  const document = parse(text);
  expect(validate(schema, document)).toEqual([]);
  const operation = document.definitions[0] as OperationDefinitionNode;
  return compileCost({ schema, document, operation, rules, listSize: 10 })(variables);
}

const costOf = (text: string, variables?: Readonly<Record<string, unknown>>) => {
  const { cost, unslicedField } = estimate(text, variables);
  expect(unslicedField).toBeUndefined();
  return cost;
};

describe('the estimated cost of an operation', () => {
  test('is the number of types for the usual introspection query, and less for smaller ones', () => {
    const usual = getIntrospectionQuery({ inputValueDeprecation: true, oneOf: true });
    expect(costOf(usual)).toBe(Object.keys(schema.getTypeMap()).length);
    expect(costOf('{ __schema { types { name } } product { id } }')).toBe(1 + 1);
    expect(costOf('{ __type(name: "Product") { fields { name } } }')).toBe(1);
  });

  test('is 1 for each composite field and 0 for scalars, and counts lists by their expected sizes', () => {
    expect(costOf('{ __typename }')).toBe(0);
    expect(costOf('{ product { id name } }')).toBe(1);
    expect(costOf('{ products { name } }')).toBe(10);
    expect(costOf('{ products { reviews { body } } }')).toBe(110);
    expect(costOf('{ top { name reviews { body } } }')).toBe(33);
    expect(costOf('{ a: product { id } b: product { id } }')).toBe(2);
  });

  test('is 10 more for a mutation', () => {
    expect(costOf('mutation { buy { id } }')).toBe(11);
    expect(costOf('mutation { rename(name: "a") { id } again: rename { id } }')).toBe(20);
  });

  test('has the weights of fields, types, arguments and input fields', () => {
    expect(costOf('{ product { stock } }')).toBe(4);
    expect(costOf('{ product { seller { rating logo } } }')).toBe(29);
    expect(costOf('{ filtered(limit: 1) }')).toBe(4);
    expect(costOf('{ filtered(limit: null) }')).toBe(0);
    expect(costOf('{ filtered(filter: { name: "a", and: [{ name: "b" }, { name: "c" }] }) }')).toBe(6);
    const text = 'query($f: Filter) { filtered(filter: $f) }';
    expect(costOf(text, { f: { and: [{ name: 'b' }, { and: [{ name: 'c' }] }] } })).toBe(4);
    expect(costOf(text)).toBe(0);
  });

  test('sizes lists by literals, variables and defaults of slicing arguments', () => {
    expect(costOf('{ search(first: 4) { id } }')).toBe(4);
    expect(costOf('{ search(page: { size: 6 }) { id } }')).toBe(6);
    expect(costOf('{ latest { id } }')).toBe(7);
    expect(costOf('{ latest(first: 2) { id } }')).toBe(2);
    expect(costOf('{ latest(first: 0) { reviews { body } } }')).toBe(0);
    const text = 'query($n: Int = 5) { search(first: $n) { id } }';
    expect(costOf(text)).toBe(5);
    expect(costOf(text, { n: 8 })).toBe(8);
    expect(costOf(text, parseExactJson('{"n":9007199254740993}') as { n: unknown })).toBe(
      Number.MAX_SAFE_INTEGER,
    );
    expect(costOf('query($p: Page) { search(page: $p) { id } }', { p: { size: 9 } })).toBe(9);
  });

  test('has the defaults of absent slicing arguments and input fields, and not of those that are null', () => {
    expect(estimate('{ latest(first: null) { id } }')).toEqual({ cost: 10, unslicedField: 'Query.latest' });
    const text = 'query($n: Int) { latest(first: $n) { id } }';
    expect(costOf(text)).toBe(7);
    expect(estimate(text, { n: null })).toEqual({ cost: 10, unslicedField: 'Query.latest' });
    expect(costOf('{ paged(page: {}) { id } }')).toBe(30);
    expect(costOf('{ paged(page: { first: 4 }) { id } }')).toBe(4);
    expect(estimate('{ paged(page: { first: null }) { id } }').cost).toBe(50);
    expect(costOf('query($n: Int) { paged(page: { first: $n }) { id } }')).toBe(30);
    expect(costOf('query($p: Page) { paged(page: $p) { id } }', { p: {} })).toBe(30);
    expect(estimate('query($p: Page) { paged(page: $p) { id } }').cost).toBe(50);
  });

  test('has the default of a slicing argument whose variable is absent and named like a member of every object', () => {
    for (const name of ['constructor', 'toString', '__proto__'])
      expect(costOf(`query($${name}: Int) { latest(first: $${name}) { id } }`)).toBe(7);
  });

  test('uses the largest of several slicing arguments where several are allowed', () => {
    expect(costOf('{ any(first: 2, last: 5) { id } }')).toBe(5);
    expect(costOf('{ any { id } }')).toBe(10);
  });

  test('names a field that needs exactly one slicing argument and has none or several', () => {
    expect(estimate('{ search { id } }')).toEqual({ cost: 50, unslicedField: 'Query.search' });
    expect(estimate('{ search(first: 1, last: 2) { id } }')).toEqual({
      cost: 2,
      unslicedField: 'Query.search',
    });
    const text = 'query($n: Int) { search(first: $n) { id } }';
    expect(estimate(text)).toEqual({ cost: 50, unslicedField: 'Query.search' });
    expect(estimate(text, { n: 1 })).toEqual({ cost: 1, unslicedField: undefined });
  });

  test('sizes the lists in a connection by the arguments of the connection', () => {
    expect(costOf('{ connection(first: 3) { edges { node { id } } pageInfo { hasNext } } }')).toBe(8);
    expect(costOf('{ connection(first: 3) { ...c } } fragment c on Connection { nodes { id } }')).toBe(4);
    expect(costOf('query($n: Int) { connection(first: $n) { nodes { id } } }', { n: 20 })).toBe(21);
  });

  test('has the fragments of the most expensive object type only', () => {
    const text = `{ found {
      ... on Product { stock }
      ... on Seller { rating }
      ... on Review { author { id } }
      ... on Node { ... on Product { related { id } } }
    } }`;
    // Each 20, as a seller. A product: 3 and 10, a seller 2, a review 20.
    expect(costOf(text)).toBe(400);
    expect(costOf('{ node { id ... on Product { stock } ... on Node { id } } }')).toBe(23);
    expect(costOf('{ product { ... on Node { id } ...p ...p } } fragment p on Product { stock }')).toBe(7);
  });

  test('has the weights and list sizes of the most expensive object type for the fields of an interface', () => {
    // A shop costs 2, as a market.
    expect(costOf('{ shop { stock { body } } }')).toBe(2 + 100 * 4);
    expect(costOf('{ shop { far { opened(in: 1) } } }')).toBe(2 + 2 + 5);
    expect(costOf('{ shop { near(first: 3) { __typename } } }')).toBe(2 + 7 * 2);
    expect(costOf('{ shop { near(first: 9) { __typename } } }')).toBe(2 + 9 * 2);
    expect(costOf('{ shop { ... on Stall { stock { body } far { __typename } } } }')).toBe(2 + 3 * 4 + 1);
  });

  test('leaves out what @skip and @include remove', () => {
    const text = `query($a: Boolean!, $b: Boolean = true) {
      product @include(if: $a) { id }
      products @skip(if: $b) { id }
      ... @include(if: false) { top { id } }
    }`;
    expect(costOf(text, { a: true })).toBe(1);
    expect(costOf(text, { a: true, b: false })).toBe(11);
    expect(costOf(text, { a: false })).toBe(0);
  });

  test.each([null, undefined, 'false', 0])(
    'counts what is skipped or included by %j, which is no condition',
    (a) => {
      expect(costOf('query($a: Boolean = true) { product @skip(if: $a) { id } }', { a })).toBe(1);
      expect(costOf('query($a: Boolean = false) { product @include(if: $a) { id } }', { a })).toBe(1);
    },
  );

  test('is a finite whole number, however large the sizes are', () => {
    const size = 2 ** 31 - 1;
    const open = `related @include(if: $yes) { `;
    const text = `query($n: Int, $yes: Boolean!) { search(first: $n) { ${open.repeat(90)} id ${'}'.repeat(90)} } }`;
    expect(costOf(text, { n: size, yes: true })).toBe(Number.MAX_SAFE_INTEGER);
  });

  test('counts a negative size as none, because servers may return the whole list for it', () => {
    expect(costOf('{ search(first: -1) { id } }')).toBe(50);
    expect(costOf('query($n: Int) { search(first: $n) { id } }', { n: -1 })).toBe(50);
    expect(costOf('{ any(first: -1, last: 4) { id } }')).toBe(4);
    expect(costOf('{ search(first: 0) { id } }')).toBe(0);
  });

  test('a negative weight makes no other field cheaper', () => {
    const negative = parse(`
      schema @link(url: "https://specs.apollo.dev/cost/v0.1", import: ["@cost", "@listSize"]) { query: Query }
      type Query {
        cheap(first: Int, fast: Boolean @cost(weight: -9)): [Item] @listSize(slicingArguments: ["first"])
        dear: Int @cost(weight: 100)
      }
      type Item { id: ID @cost(weight: -3) size: Int @cost(weight: 5) }
    `);
    const document = parse(
      'query($n: Int) { cheap(first: $n) { id } one: cheap(first: 5) { id size } fast: cheap(first: 3, fast: true) { size } dear }',
    );
    const estimateCost = compileCost({
      schema: buildASTSchema(negative, { assumeValidSDL: true }),
      document,
      operation: document.definitions[0] as OperationDefinitionNode,
      rules: readCostRules(negative),
      listSize: 10,
    });
    expect(estimateCost({ n: 20 }).cost).toBe(20 * 1 + 5 * (1 + 5) + (3 * (1 + 5) - 9) + 100);
  });
});

test('a supergraph has the directives under their imported names, and without an import with a prefix', () => {
  const read = (link: string, directive: string) =>
    readCostRules(
      parse(`schema @link(url: "https://specs.apollo.dev/cost/v0.1"${link}) { query: Query }
      type Query { a: Int @${directive}(weight: 3) b(c: Int @${directive}(weight: 4)): Int }`),
    ).weights;
  const expected = new Map([
    ['Query.a', 3],
    ['Query.b(c:)', 4],
  ]);
  expect(read(', import: ["@cost"]', 'cost')).toEqual(expected);
  expect(read(', import: [{ name: "@cost", as: "@federation__cost" }]', 'federation__cost')).toEqual(
    expected,
  );
  expect(read('', 'cost__cost')).toEqual(expected);
  expect(read(', import: ["@listSize"]', 'cost')).toEqual(expected);
  expect(read(', as: "price"', 'price')).toEqual(expected);
  expect(read(', import: [{ name: "@cost", as: "@price" }]', 'cost')).toEqual(new Map());
});
