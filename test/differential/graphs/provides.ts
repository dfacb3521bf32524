import type { Graph, GraphObject } from './framework/graph.ts';

// Fields that a subgraph has on some paths only: below an interface, a union, and nested objects.

const shows: readonly GraphObject[] = ['s1', 's2', 's3'].map((id, index) => ({
  __typename: index === 1 ? 'Play' : 'Concert',
  id,
  hall: () => halls[index % 2],
}));

const halls: readonly GraphObject[] = ['h1', 'h2'].map((id) => ({
  __typename: 'Hall',
  id,
  address: { label: `address of ${id}`, town: { label: `town of ${id}` } },
}));

export const provides: Graph = {
  name: 'provides',
  subgraphs: [
    {
      name: 'programme',
      sdl: `
        type Query {
          tonight: [Show!]! @provides(fields: "... on Play { title author } ... on Concert { title }")
          later: [Show!]!
          mixed: [Event] @provides(fields: "... on Play { title hall { name } } ... on Hall { name }")
          stage: Hall @provides(fields: "address { street town { name } }")
        }
        union Event = Play | Concert | Hall
        interface Show @key(fields: "id") { id: ID! title: String hall: Hall }
        type Play implements Show @key(fields: "id") { id: ID! title: String @external author: String @external hall: Hall cast: Int }
        type Concert implements Show @key(fields: "id") { id: ID! title: String @external hall: Hall @provides(fields: "name") band: String! }
        type Hall @key(fields: "id") { id: ID! name: String @external address: Address @external seats: Int }
        type Address { street: String @external town: Town @external }
        type Town { name: String @external }
      `,
    },
    {
      name: 'titles',
      sdl: `
        type Query { shows(first: Int = 3): [Titled!]! }
        interface Titled { title: String }
        type Play implements Titled @key(fields: "id") { id: ID! title: String @shareable author: String @shareable editions: [String!] }
        type Concert implements Titled @key(fields: "id") { id: ID! title: String @shareable }
      `,
    },
    {
      name: 'places',
      sdl: `
        type Hall @key(fields: "id") { id: ID! name: String @shareable address: Address @shareable shows: [Show] }
        type Address { street: String @shareable town: Town @shareable zip: String! }
        type Town { name: String @shareable people: Int }
        interface Show @key(fields: "id") { id: ID! }
        type Play implements Show @key(fields: "id") { id: ID! }
        type Concert implements Show @key(fields: "id") { id: ID! }
      `,
    },
  ],
  entities: {
    Play: shows.slice(1, 2),
    Concert: [shows[0] as GraphObject, shows[2] as GraphObject],
    Hall: halls,
  },
  resolvers: {
    'Query.tonight': () => shows.slice(0, 2),
    'Query.later': () => shows,
    'Query.mixed': () => [shows[1], halls[0], null, shows[2]],
    'Query.stage': () => halls[1],
    'Query.shows': (_, { first }) => shows.slice(0, first ?? 3),
    'Hall.shows': ({ id }) => shows.filter(({ hall }) => (hall as () => GraphObject)().id === id),
  },
  argumentValues: { first: [0, 1, 3] },
};
