import { buildSubgraphSchema } from '@apollo/subgraph';
import { buildSchema, type GraphQLFieldResolver, type GraphQLSchema, isObjectType, parse } from 'graphql';
import { composeSubgraphs, federationLink } from './composeSubgraphs.ts';
import type { PlannerTestGraph } from './plannerContract.ts';

// Books and their authors, in one subgraph or in two.

const deferDefinition =
  'directive @defer(if: Boolean! = true, label: String) on FRAGMENT_SPREAD | INLINE_FRAGMENT\n';

const monolithSdl = `
  type Query { books(first: Int): [Book!]! author(id: ID!): Author }
  type Mutation { rename(id: ID!, title: String!): Book }
  type Book { id: ID! title: String author: Author stars: Int reviews: [Review!] }
  type Author { id: ID! name: String books: [Book!] }
  type Review { text: String by: Author }
`;

const booksSdl = `${federationLink}
  type Query { books(first: Int): [Book!]! }
  type Mutation { rename(id: ID!, title: String!): Book }
  type Book @key(fields: "id") { id: ID! title: String author: Author }
  type Author @key(fields: "id") { id: ID! books: [Book!] }
`;

const peopleSdl = `${federationLink}
  type Query { author(id: ID!): Author }
  type Author @key(fields: "id") { id: ID! name: String }
  type Book @key(fields: "id") { id: ID! title: String @external stars: Int @requires(fields: "title") reviews: [Review!] }
  type Review { text: String by: Author }
`;

interface Book {
  readonly id: string;
  readonly title: string;
  readonly author: { readonly id: string };
}

const people = new Map([
  ['a1', 'Ursula'],
  ['a2', 'Stanisław'],
]);

const books: readonly Book[] = [
  { id: 'b1', title: 'The Dispossessed', author: { id: 'a1' } },
  { id: 'b2', title: 'Solaris', author: { id: 'a2' } },
  { id: 'b3', title: 'Fiasco', author: { id: 'a2' } },
];

type Fields = Readonly<Record<string, Readonly<Record<string, GraphQLFieldResolver<never, unknown, never>>>>>;

const resolvers: Fields = {
  Query: {
    books: (_, { first }: { first?: number }) => books.slice(0, first ?? books.length),
    author: (_, { id }: { id: string }) => (people.has(id) ? { id } : null),
  },
  // Mutations do not change the data: the response contains the new title.
  Mutation: { rename: (_, { id, title }: { id: string; title: string }) => ({ ...bookOf(id), title }) },
  Book: {
    title: ({ id, title }: Book) => title ?? bookOf(id).title,
    author: ({ id }: Book) => bookOf(id).author,
    stars: ({ id, title }: Book) => (title ?? bookOf(id).title).length,
    reviews: ({ id }: Book) => [{ text: `On ${id}`, by: { id: 'a1' } }],
  },
  Author: {
    name: ({ id }: { id: string }) => people.get(id),
    books: ({ id }: { id: string }) => books.filter(({ author }) => author.id === id),
  },
};

function bookOf(id: string): Book {
  const book = books.find((candidate) => candidate.id === id);
  if (book === undefined) throw new Error(`There is no book ${id}.`);
  return book;
}

function addResolvers(schema: GraphQLSchema): GraphQLSchema {
  for (const [typeName, fields] of Object.entries(resolvers)) {
    const type = schema.getType(typeName);
    if (!isObjectType(type)) continue;
    for (const [name, resolve] of Object.entries(fields)) {
      const field = type.getFields()[name];
      if (field !== undefined) field.resolve = resolve as GraphQLFieldResolver<unknown, unknown>;
    }
  }
  return schema;
}

const trials: Pick<PlannerTestGraph, 'queries' | 'deferred' | 'mutation'> = {
  queries: [
    { title: 'fields of one subgraph', query: '{ books { id title } }' },
    { title: 'fields of an entity from elsewhere', query: '{ books { title stars reviews { text } } }' },
    { title: 'there and back', query: '{ author(id: "a2") { name books { title author { name } stars } } }' },
    {
      title: 'variables, each only where it is used',
      query: 'query Some($first: Int, $id: ID!) { books(first: $first) { stars } author(id: $id) { name } }',
      variables: { first: 1, id: 'a1' },
    },
    {
      title: 'aliases, the same field twice',
      query: '{ one: books(first: 1) { t: title } all: books { stars } }',
    },
    {
      title: 'a __typename at every level',
      query: '{ __typename books { __typename author { __typename name } } }',
    },
    { title: 'an unknown author', query: '{ author(id: "nobody") { name books { stars } } }' },
  ],
  deferred: [
    { title: 'a field of another subgraph', query: '{ books { title ... @defer { stars } } }' },
    { title: 'what is required elsewhere', query: '{ books { id ... @defer { title author { name } } } }' },
    {
      title: 'one within another',
      query:
        '{ author(id: "a2") { name ... @defer { books { title ... @defer { reviews { by { name } } } } } } }',
    },
  ],
  mutation:
    'mutation { first: rename(id: "b1", title: "A") { title stars } second: rename(id: "b2", title: "Bee") { title author { name } stars } }',
};

/** A graph of two subgraphs with entities, a `@requires`, and fields that both subgraphs have. */
export async function composeTwoSubgraphShelf(): Promise<PlannerTestGraph> {
  const subgraph = (sdl: string): GraphQLSchema => {
    type Modules = Parameters<typeof buildSubgraphSchema>[0];
    const reference = { __resolveReference: (entity: object) => entity };
    const modules = { typeDefs: parse(sdl), resolvers: { Book: reference, Author: reference } };
    return addResolvers(buildSubgraphSchema(modules as unknown as Modules));
  };
  return {
    ...trials,
    sdl: await composeSubgraphs([
      { name: 'books', url: 'http://books.test', sdl: booksSdl },
      { name: 'people', url: 'http://people.test', sdl: peopleSdl },
    ]),
    apiSchema: buildSchema(deferDefinition + monolithSdl),
    subgraphs: new Map([
      ['books', subgraph(booksSdl)],
      ['people', subgraph(peopleSdl)],
    ]),
    monolith: addResolvers(buildSchema(monolithSdl)),
  };
}

/** A graph of one subgraph without federation. */
export function createSingleSubgraphShelf(): PlannerTestGraph {
  const schema = addResolvers(buildSchema(monolithSdl));
  return {
    ...trials,
    sdl: monolithSdl,
    apiSchema: buildSchema(deferDefinition + monolithSdl),
    subgraphs: new Map([['shelf', schema]]),
    monolith: schema,
  };
}
