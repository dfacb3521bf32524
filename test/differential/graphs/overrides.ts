import type { Graph, GraphObject } from './framework/graph.ts';

// Fields that one subgraph took over from another, including root fields and fields of values.

const books: readonly GraphObject[] = ['x', 'y'].map((isbn) => ({
  __typename: 'Book',
  isbn,
  label: `book ${isbn}`,
  cover: { label: `cover of ${isbn}` },
  next: () => books.find((other) => other.isbn !== isbn),
}));

export const overrides: Graph = {
  name: 'overrides',
  subgraphs: [
    {
      name: 'old',
      sdl: `
        type Query { books: [Book!]! newest: Book count: Int }
        type Book @key(fields: "isbn") {
          isbn: ID!
          title: String
          price(currency: String = "EUR"): Float
          cover: Cover @shareable
          next: Book
          stock: Int
          blurb: String @external
          teaser: String @requires(fields: "blurb")
        }
        type Cover @shareable { width: Int tone: String }
      `,
    },
    {
      name: 'new',
      sdl: `
        type Query { newest: Book @override(from: "old") count: Int @override(from: "old") fresh: [Book] }
        type Book @key(fields: "isbn") {
          isbn: ID!
          title: String @override(from: "old")
          price(currency: String = "EUR"): Float @override(from: "old")
          cover: Cover @shareable
          stock: Int @external
          blurb: String
          signal: String @requires(fields: "stock")
        }
        type Cover @shareable { width: Int @override(from: "old") tone: String }
      `,
    },
    {
      name: 'depot',
      sdl: `
        type Book @key(fields: "isbn") {
          isbn: ID!
          stock: Int @override(from: "old")
          title: String @external
          sticker: String @requires(fields: "title")
          next: Book @override(from: "old")
        }
      `,
    },
  ],
  entities: { Book: books },
  resolvers: {
    'Query.books': () => books,
    'Query.newest': () => books[1],
    'Query.fresh': () => [books[1], null],
  },
};
