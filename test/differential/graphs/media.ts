import type { Graph, GraphObject } from './framework/graph.ts';

// The data of the graphs whose subgraphs know an interface as an object.

const media: readonly GraphObject[] = [
  { __typename: 'Book', id: 'b1', title: 'B1' },
  { __typename: 'Film', id: 'f1', title: null },
  { __typename: 'Book', id: 'b2', title: 'B2' },
  { __typename: 'Song', id: 's1', title: 'S1' },
].map((thing) => ({ ...thing, sequel: () => media[2], shelf: { label: `shelf of ${thing.id}` } }));

const shops = ['north', 'south'].map((name): GraphObject => ({ __typename: 'Shop', name, label: name }));

export function findMedium(id: string): GraphObject | undefined {
  return media.find((thing) => thing.id === id);
}

/** What these graphs have in common besides their schemas. */
export const mediaData = {
  entities: {
    Book: media.filter(({ __typename }) => __typename === 'Book'),
    Film: media.filter(({ __typename }) => __typename === 'Film'),
    Song: media.filter(({ __typename }) => __typename === 'Song'),
    Shop: shops,
  },
  resolvers: {
    'Query.media': () => media,
    'Query.medium': (_, { id }) => findMedium(id),
    'Query.book': () => findMedium('b2'),
    'Query.popular': (_, { first }) => ['f1', 'b1', 's1'].slice(0, first ?? 2).map(findMedium),
    'Query.best': () => findMedium('s1'),
    'Media.shop': ({ id }) => (id === 'b2' ? null : shops[id === 's1' ? 1 : 0]),
    'Shop.window': ({ name }) => findMedium(name === 'north' ? 'b2' : 'f1'),
    'Shop.film': () => findMedium('f1'),
  },
  argumentValues: { 'Query.medium(id': ['b1', 'f1', 's1', 'none'], first: [0, 1, 3], scale: [5, 10] },
} satisfies Pick<Graph, 'entities' | 'resolvers' | 'argumentValues'>;
