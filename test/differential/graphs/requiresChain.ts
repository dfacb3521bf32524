import type { Graph, GraphObject } from './framework/graph.ts';

// Fields that one subgraph computes and the next requires, some of them in nested objects.

export const parts: readonly GraphObject[] = ['a', 'b', 'c'].map((id) => ({
  __typename: 'Part',
  id,
  maker: id === 'b' ? null : { label: `maker of ${id}`, site: { label: `site of ${id}` } },
  pieces: [1, 2].map((number) => ({ label: `piece ${number} of ${id}` })),
  next: () => parts[(parts.findIndex((part) => part.id === id) + 1) % parts.length],
  weight: id === 'c' ? null : 7 + id.charCodeAt(0),
}));

export const requiresChain: Graph = {
  name: 'requiresChain',
  subgraphs: [
    {
      name: 'catalog',
      sdl: `
        type Query { parts: [Part!]! part(id: ID!): Part }
        type Part @key(fields: "id") {
          id: ID!
          weight: Int
          maker: Maker
          pieces: [Piece!]!
          next: Part!
        }
        type Maker { name: String site: Site }
        type Site { city: String street: String! }
        type Piece { code: String length: Int! }
      `,
    },
    {
      name: 'costs',
      sdl: `
        type Part @key(fields: "id") {
          id: ID!
          weight: Int @external
          cost: Float @requires(fields: "weight")
          maker: Maker @external
          pieces: [Piece!]! @external
          origin: String @requires(fields: "maker { name site { city } }")
          cut: [String!] @requires(fields: "pieces { code length }")
          plain: Int!
        }
        type Maker @external { name: String site: Site }
        type Site @external { city: String }
        type Piece @external { code: String length: Int! }
      `,
    },
    {
      name: 'tariffs',
      sdl: `
        type Part @key(fields: "id") {
          id: ID!
          origin: String @external
          cost: Float @external
          tariff: String @requires(fields: "origin")
          contract(years: Int = 2): Contract @requires(fields: "cost origin")
        }
        type Contract { text: String! years: Int }
      `,
    },
    {
      name: 'labels',
      sdl: `
        type Part @key(fields: "id") {
          id: ID!
          tariff: String @external
          sticker: String @requires(fields: "tariff")
        }
      `,
    },
  ],
  entities: { Part: parts },
  resolvers: {
    'Query.parts': () => parts,
    'Query.part': (_, { id }) => parts.find((part) => part.id === id),
    'Part.contract': (self, { years }, { required }) => ({
      label: `contract of ${self.id} for ${years}: ${required.cost}, ${required.origin}`,
    }),
  },
  argumentValues: { 'Query.part(id': ['a', 'b', 'c', 'none'] },
};
