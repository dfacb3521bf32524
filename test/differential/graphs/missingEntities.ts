import type { Graph, GraphObject } from './framework/graph.ts';

// Keys that are null, references to entities that no longer exist, and entities that some subgraphs do not know.

const posts: readonly GraphObject[] = [
  { id: 'k1', url: '/1', author: 0 },
  { id: 'k2', url: null, author: 1 },
  { id: 'k3', url: '/3', author: 2 },
  { id: 'k4', url: '/4', author: null },
].map(({ author, ...post }) => ({
  __typename: 'Post',
  ...post,
  author: () => (author === null ? null : authors[author]),
  related: () => [posts[1], null, posts[2], posts[0]],
}));
const authors: readonly GraphObject[] = ['x1', 'x2', 'x3'].map((id, index) => ({
  __typename: 'Author',
  id,
  best: () => posts[index],
}));

export const missingEntities: Graph = {
  name: 'missingEntities',
  subgraphs: [
    {
      name: 'posts',
      sdl: `
        type Query { posts: [Post]! post(id: ID!): Post }
        type Post @key(fields: "id") @key(fields: "url") { id: ID! url: String author: Author related: [Post] text: String }
        type Author @key(fields: "id") { id: ID! }
      `,
    },
    {
      name: 'authors',
      sdl: `
        type Query { authors: [Author!]! }
        type Author @key(fields: "id") { id: ID! name: String mail: String! best: Post fans: [Author!] }
        type Post @key(fields: "id", resolvable: false) { id: ID! }
      `,
    },
    {
      name: 'visits',
      sdl: `
        type Post @key(fields: "url") { url: String visits: Int! rate: Float author: Author @external badge: String @requires(fields: "author { id }") }
        type Author @key(fields: "id", resolvable: false) { id: ID! @external }
      `,
    },
  ],
  entities: { Post: posts, Author: authors },
  isUnknown: (thing, subgraph) =>
    (subgraph === 'visits' && (thing.url === null || thing.id === 'k3')) ||
    (subgraph === 'authors' && thing.id === 'x2'),
  resolvers: {
    'Query.posts': () => [...posts.slice(0, 2), null, ...posts.slice(2)],
    'Query.post': (_, { id }) => posts.find((post) => post.id === id),
    'Query.authors': () => [authors[0], authors[2]],
    'Author.fans': ({ id }) => (id === 'x1' ? null : [authors[0], authors[2]]),
  },
  argumentValues: { 'Query.post(id': ['k1', 'k2', 'k3', 'none'] },
};
