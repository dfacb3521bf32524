import type { Graph } from './framework/graph.ts';
import { parts } from './requiresChain.ts';

// A field that one subgraph computes is required by another, which computes a field that the first requires.

export const requiresCircular: Graph = {
  name: 'requiresCircular',
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
          cost: Float @external
          offer: String @requires(fields: "cost")
          cut: [String!] @external
          sample: String @requires(fields: "cut")
          ring: String @external
          medal: String @requires(fields: "ring")
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
        type Query { cheapest: Part }
        type Part @key(fields: "id") {
          id: ID!
          rival: Part
          next: Part! @external
          ring: String @requires(fields: "next { id weight }")
          weight: Int @external
          tariff: String @external
          cost: Float @requires(fields: "weight tariff")
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
          offer: String @external
          tariff: String @requires(fields: "origin")
          contract(years: Int = 2): Contract @requires(fields: "offer origin")
        }
        type Contract { text: String! party: Part }
      `,
    },
    {
      name: 'labels',
      sdl: `
        type Part @key(fields: "id") {
          id: ID!
          contract(years: Int = 2): Contract @external
          poster: String! @requires(fields: "contract(years: 3) { text }")
        }
        type Contract @external { text: String! }
      `,
    },
  ],
  entities: { Part: parts },
  resolvers: {
    'Query.parts': () => parts,
    'Query.cheapest': () => parts[0],
    'Part.rival': ({ id }) => (id === 'c' ? null : parts[1]),
    'Query.part': (_, { id }) => parts.find((part) => part.id === id),
    'Part.contract': (self, { years }, { required }) => ({
      label: `contract of ${self.id} for ${years}: ${required.offer}, ${required.origin}`,
      party: self.next,
    }),
  },
  argumentValues: { 'Query.part(id': ['a', 'b', 'c', 'none'] },
};
