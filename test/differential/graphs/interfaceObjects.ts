import type { Graph } from './framework/graph.ts';
import { findMedium, mediaData } from './media.ts';

// Subgraphs that know an interface as an object: values that one of them adds lead to further interface objects, which may
// be members of a union or of another interface.

export const interfaceObjects: Graph = {
  name: 'interfaceObjects',
  subgraphs: [
    {
      name: 'media',
      sdl: `
        type Query { media: [Media!]! medium(id: ID!): Media book: Book found: [Found] timed: [Timed] }
        union Found = Book | Film | Hint
        interface Timed { minutes: Int }
        type Hint { text: String }
        interface Media @key(fields: "id") { id: ID! title: String sequel: Media }
        type Book implements Media @key(fields: "id") { id: ID! title: String sequel: Media pages: Int! }
        type Film implements Media & Timed @key(fields: "id") { id: ID! title: String sequel: Media minutes: Int }
        type Song implements Media & Timed @key(fields: "id") { id: ID! title: String sequel: Media key: String minutes: Int }
      `,
    },
    {
      name: 'ratings',
      sdl: `
        type Query { popular(first: Int = 2): [Media] best: Media! }
        type Media @key(fields: "id") @interfaceObject {
          id: ID!
          stars(scale: Int = 5): Float!
          headline: String
          shelf: Shelf
        }
        type Shelf { row: Int light: String! }
      `,
    },
    {
      name: 'shops',
      sdl: `
        type Media @key(fields: "id") @interfaceObject {
          id: ID!
          offer: String
          shop: Shop
        }
        type Shop @key(fields: "name") { name: String! window: Media }
      `,
    },
    {
      name: 'towns',
      sdl: `
        type Shop @key(fields: "name") { name: String! town: String film: Film }
        type Film @key(fields: "id") { id: ID! poster: String }
      `,
    },
  ],
  ...mediaData,
  resolvers: {
    ...mediaData.resolvers,
    'Query.found': () => [findMedium('f1'), { __typename: 'Hint', label: 'hint' }, findMedium('b1')],
    'Query.timed': () => ['f1', 's1'].map(findMedium),
  },
};
