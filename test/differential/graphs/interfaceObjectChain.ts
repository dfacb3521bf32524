import type { Graph } from './framework/graph.ts';
import { mediaData } from './media.ts';

// Subgraphs that know an interface as an object: one requires a field that another one adds.

export const interfaceObjectChain: Graph = {
  name: 'interfaceObjectChain',
  subgraphs: [
    {
      name: 'media',
      sdl: `
        type Query { media: [Media!]! medium(id: ID!): Media book: Book }
        interface Media @key(fields: "id") { id: ID! title: String sequel: Media }
        type Book implements Media @key(fields: "id") { id: ID! title: String sequel: Media pages: Int! }
        type Film implements Media @key(fields: "id") { id: ID! title: String sequel: Media minutes: Int }
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
          headline: String @external
          offer: String @requires(fields: "headline")
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
};
