import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type InlineGateway, type InlineSubgraph, startInlineGateway } from '../harness/inlineGateway.ts';

const book = {
  isbn: 'b1',
  sku: 's1',
  title: 'Dunes',
  maker: { id: 'm', name: 'Mill' },
  price: { amount: 12, currency: 'EUR' },
  size: { height: 20, unit: 'CM' },
};
const users = [
  { id: 'u1', name: 'Ada', nick: 'ada' },
  { id: 'u2', name: 'Bob', nick: 'bob' },
];
const find = ({ id }: { id: string }) => users.find((user) => user.id === id);

/** Federation 1 schemas: no `@link`, extended types, and value types that are repeated in several subgraphs. */
const subgraphs: InlineSubgraph[] = [
  {
    name: 'accounts',
    sdl: `
      extend type Query { me: User }
      extend type Mutation { rename(input: Rename!): User }
      type User @key(fields: "id") { id: ID! name: String nick: String }
      input Rename { name: String! unit: Unit = CM }
      enum Unit { CM INCH }
    `,
    resolvers: {
      Query: { me: () => users[0] },
      Mutation: {
        rename: (_: never, { input }: { input: { name: string; unit: string } }) => ({
          ...users[0],
          name: `${input.name} ${input.unit}`,
        }),
      },
      User: { __resolveReference: find },
    },
  },
  {
    name: 'products',
    sdl: `
      extend type Query { products: [Product!]! }
      interface Product { isbn: ID! price: Money }
      type Book implements Product @key(fields: "isbn") @key(fields: "sku maker { id }") {
        isbn: ID! sku: String! title: String maker: Maker! price: Money size: Size
      }
      type Lamp implements Product @key(fields: "isbn") { isbn: ID! price: Money watts: Int cost: Int @inaccessible }
      directive @inaccessible on FIELD_DEFINITION
      type Maker { id: ID! name: String }
      type Money { amount: Int currency: String }
      type Size { height: Int unit: Unit }
      enum Unit { CM INCH }
    `,
    resolvers: {
      Query: {
        products: () => [
          { __typename: 'Book', ...book },
          { __typename: 'Lamp', isbn: 'l1', price: { amount: 30, currency: 'EUR' }, watts: 5 },
        ],
      },
      Book: { __resolveReference: () => book },
    },
  },
  {
    name: 'reviews',
    sdl: `
      type Query { search: [Named!]! }
      type Mutation { review(isbn: ID!, text: String!): Review }
      union Named = Book | User
      type Review { text: String author: User @provides(fields: "nick") book: Book }
      type User @extends @key(fields: "id") { id: ID! @external nick: String @external wrote: Int }
      extend type Book @key(fields: "isbn") { isbn: ID! @external reviews: [Review!]! }
    `,
    resolvers: {
      Query: {
        search: () => [
          { __typename: 'Book', isbn: 'b1' },
          { __typename: 'User', id: 'u2' },
        ],
      },
      Mutation: {
        review: (_: never, { isbn, text }: never) => ({
          text,
          author: { id: 'u1', nick: 'by ada' },
          book: { isbn },
        }),
      },
      Book: { reviews: () => [{ text: 'dry', author: { id: 'u2', nick: 'by bob' } }] },
      User: { wrote: ({ id }: never) => (id === 'u2' ? 1 : 0) },
    },
  },
  {
    name: 'inventory',
    sdl: `
      extend type Book @key(fields: "sku maker { id }") {
        sku: String! @external
        maker: Maker! @external
        price: Money @external
        size: Size @external
        inStock: Int
        shipping: String @requires(fields: "price { amount } size { height unit }")
      }
      type Maker { id: ID! name: String }
      type Money { amount: Int currency: String }
      type Size { height: Int unit: Unit }
      enum Unit { CM INCH }
    `,
    resolvers: {
      Book: {
        inStock: ({ sku, maker }: { sku: string; maker: { id: string } }) =>
          sku === 's1' && maker.id === 'm' ? 7 : 0,
        shipping: ({ price, size }: { price: { amount: number }; size: { height: number; unit: string } }) =>
          `${price.amount}+${size.height} ${size.unit}`,
      },
    },
  },
].map((subgraph) => ({ ...subgraph, link: '' }) as InlineSubgraph);

const fixture = readFileSync(
  new URL('../fixtures/supergraphs/federationOne.graphql', import.meta.url),
  'utf8',
);

/** A supergraph of an earlier composer, with the addresses of these subgraphs. */
function asOfFederationOne(composed: string): string {
  return fixture.replaceAll(/name: "(\w+)", url: "[^"]*"/g, (join, name: string) => {
    const found = new RegExp(`@join__graph\\(name: "${name}", url: "[^"]*"\\)`).exec(composed)?.[0];
    return found === undefined ? join : found.slice('@join__graph('.length, -1);
  });
}

/** Removes the argument `for`, which the first version of `core` does not have. */
function withFirstCore(composed: string): string {
  return asOfFederationOne(composed)
    .replace('core/v0.2', 'core/v0.1')
    .replaceAll(/, for: [A-Z]+/g, '')
    .replace(', for: core__Purpose', '')
    .replace(/^enum core__Purpose \{[^}]*\}/m, '');
}

/** Removes the directives that assign union members and enum values to subgraphs, which early versions do not have. */
function asOfFederationTwoFirst(composed: string): string {
  const changed = composed
    .replaceAll(/^directive @join__(unionMember|enumValue)\b.*$/gm, '')
    .replaceAll(/\s@join__(unionMember|enumValue)\([^)]*\)/g, '')
    .replace(', isInterfaceObject: Boolean! = false', '')
    .replace('@join__field(graph: join__Graph,', '@join__field(graph: join__Graph!,');
  expect(changed).toContain('join/v0.3');
  return changed.replace('join/v0.3', 'join/v0.2');
}

describe.each([
  ['composed by this version', (sdl: string) => sdl],
  ['composed by the first version of Federation 2', asOfFederationTwoFirst],
  ['composed by Federation 1', asOfFederationOne],
  ['composed by the first version of all', withFirstCore],
])('subgraphs of Federation 1, %s', (_, change) => {
  let gateway: InlineGateway;
  beforeAll(async () => {
    gateway = await startInlineGateway({
      subgraphs,
      transformSupergraph: change,
      config: { security: { introspection: true } },
    });
  });
  afterAll(() => gateway.close());

  test('resolve entities by single and composite keys, and value types', async () => {
    const { body } = await gateway.execute(
      '{ products { __typename isbn price { amount currency } ... on Book { title inStock reviews { text author { nick name wrote } } } ... on Lamp { watts } } }',
    );
    expect(body).toEqual({
      data: {
        products: [
          {
            __typename: 'Book',
            isbn: 'b1',
            price: { amount: 12, currency: 'EUR' },
            title: 'Dunes',
            inStock: 7,
            reviews: [{ text: 'dry', author: { nick: 'by bob', name: 'Bob', wrote: 1 } }],
          },
          { __typename: 'Lamp', isbn: 'l1', price: { amount: 30, currency: 'EUR' }, watts: 5 },
        ],
      },
    });
  });

  test('receive the fields of @requires, fetched from their owner', async () => {
    const { body } = await gateway.execute(
      '{ search { ... on Book { shipping title } ... on User { name wrote } } }',
    );
    expect(body).toEqual({
      data: {
        search: [
          { shipping: '12+20 CM', title: 'Dunes' },
          { name: 'Bob', wrote: 1 },
        ],
      },
    });
  });

  test('are not fetched for fields that another subgraph provides', async () => {
    const before = gateway.subgraph('accounts').calls.length;
    const { body } = await gateway.execute('{ products { ... on Book { reviews { author { id nick } } } } }');
    expect(body).toEqual({
      data: { products: [{ reviews: [{ author: { id: 'u2', nick: 'by bob' } }] }, {}] },
    });
    expect(gateway.subgraph('accounts').calls.length).toBe(before);
  });

  test('execute mutations in order, with shared input types', async () => {
    const { body } = await gateway.execute(
      'mutation { rename(input: { name: "Eve" }) { name wrote } review(isbn: "b1", text: "wet") { text book { title } author { nick } } }',
    );
    expect(body).toEqual({
      data: {
        rename: { name: 'Eve CM', wrote: 0 },
        review: { text: 'wet', book: { title: 'Dunes' }, author: { nick: 'by ada' } },
      },
    });
  });

  test('support @defer', async () => {
    await using answer = await gateway.executeIncrementally(
      '{ products { isbn ... on Book { title ... @defer { inStock shipping } } } }',
    );
    expect(await answer.remaining()).toEqual([
      { data: { products: [{ isbn: 'b1', title: 'Dunes' }, { isbn: 'l1' }] }, hasNext: true },
      {
        incremental: [{ data: { inStock: 7, shipping: '12+20 CM' }, path: ['products', 0] }],
        hasNext: false,
      },
    ]);
  });

  test('hide federation types and inaccessible elements from clients', async () => {
    const { body } = await gateway.execute(
      '{ __schema { types { name } directives { name } } __type(name: "Lamp") { fields { name } } }',
    );
    const { __schema, __type } = body.data as Record<string, Record<string, { name: string }[]>>;
    const namesOf = (list: readonly { name: string }[] = []) => list.map(({ name }) => name).sort();
    const names = [...namesOf(__schema?.types), ...namesOf(__schema?.directives)];
    expect(
      names.filter((name) =>
        /^(join__|core|link|_Any|_Entity|_Service|(key|extends|tag|inaccessible)$)/.test(name),
      ),
    ).toEqual([]);
    expect(names).toContain('Rename');
    expect(namesOf(__type?.fields)).toEqual(['isbn', 'price', 'watts']);
  });
});
