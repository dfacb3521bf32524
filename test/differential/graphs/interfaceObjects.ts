import type { Graph, GraphObject } from './framework/graph.ts';

// Subgraphs that know an interface as an object: values that one of them adds lead to further interface objects, which may
// be members of a union or of another interface.

const media: readonly GraphObject[] = [
  { __typename: 'Book', id: 'b1', title: 'B1' },
  { __typename: 'Film', id: 'f1', title: null },
  { __typename: 'Book', id: 'b2', title: 'B2' },
  { __typename: 'Song', id: 's1', title: 'S1' },
].map((thing) => ({ ...thing, sequel: () => media[2], shelf: { label: `shelf of ${thing.id}` } }));

const find = (id: string): GraphObject | undefined => media.find((thing) => thing.id === id);

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
  entities: {
    Book: media.filter(({ __typename }) => __typename === 'Book'),
    Film: media.filter(({ __typename }) => __typename === 'Film'),
    Song: media.filter(({ __typename }) => __typename === 'Song'),
    Shop: ['north', 'south'].map((name) => ({ __typename: 'Shop', name, label: name })),
  },
  resolvers: {
    'Query.media': () => media,
    'Query.medium': (_, { id }) => find(id),
    'Query.book': () => find('b2'),
    'Query.found': () => [find('f1'), { __typename: 'Hint', label: 'hint' }, find('b1')],
    'Query.timed': () => ['f1', 's1'].map(find),
    'Query.popular': (_, { first }) => ['f1', 'b1', 's1'].slice(0, first ?? 2).map(find),
    'Query.best': () => find('s1'),
    'Media.shop': ({ id }) => (id === 'b2' ? null : interfaceObjects.entities.Shop?.[id === 's1' ? 1 : 0]),
    'Shop.window': ({ name }) => find(name === 'north' ? 'b2' : 'f1'),
    'Shop.film': () => find('f1'),
  },
  argumentValues: { 'Query.medium(id': ['b1', 'f1', 's1', 'none'], first: [0, 1, 3], scale: [5, 10] },
};
