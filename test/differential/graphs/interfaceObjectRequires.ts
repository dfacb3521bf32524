import type { Graph } from './framework/graph.ts';
import { mediaData } from './media.ts';

// Subgraphs that know an interface as an object: with `@requires`, beside a selection for one implementation.

export const interfaceObjectRequires: Graph = {
  name: 'interfaceObjectRequires',
  subgraphs: [
    {
      name: 'media',
      sdl: `
        type Query { media: [Media!]! medium(id: ID!): Media book: Book }
        interface Media @key(fields: "id") { id: ID! title: String sequel: Media }
        type Book implements Media @key(fields: "id") { id: ID! title: String sequel: Media pages: Int! }
        type Film implements Media @key(fields: "id") { id: ID! title: String sequel: Media minutes: Int poster: String }
        type Song implements Media @key(fields: "id") { id: ID! title: String sequel: Media key: String }
      `,
    },
    {
      name: 'ratings',
      sdl: `
        type Query { popular(first: Int = 2): [Media] best: Media! }
        type Media @key(fields: "id") @interfaceObject {
          id: ID!
          title: String @external
          stars(scale: Int = 5): Float!
          headline: String @requires(fields: "title")
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
          title: String @external
          offer: String @requires(fields: "title")
          shop: Shop
        }
        type Shop @key(fields: "name") { name: String! window: Media }
      `,
    },
  ],
  ...mediaData,
};
