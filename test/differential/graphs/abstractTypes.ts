import type { Graph, GraphObject } from './framework/graph.ts';

// Unions and interfaces with different members in each subgraph, and interfaces that implement interfaces.

const pages: readonly GraphObject[] = ['p1', 'p2'].map((id) => ({
  __typename: 'Page',
  id,
  size: { label: `size of ${id}` },
}));
const shops: readonly GraphObject[] = ['h1', 'h2'].map((id) => ({
  __typename: 'Shop',
  id,
  top: () => clips[0],
}));
const clips: readonly GraphObject[] = ['c1', 'c2'].map((id) => ({
  __typename: 'Clip',
  id,
  about: () => [pages[0], shops[1]],
}));

export const abstractTypes: Graph = {
  name: 'abstractTypes',
  subgraphs: [
    {
      name: 'search',
      sdl: `
        type Query { search(text: String!): [Hit!]! first: Hit nodes(ids: [ID!]!): [Node]! named: [Named] }
        union Hit = Page | Shop | Advert
        interface Node { id: ID! }
        interface Named implements Node { id: ID! name: String }
        type Page implements Node & Named @key(fields: "id") { id: ID! name: String @shareable score: Float }
        type Shop implements Node @key(fields: "id") { id: ID! score: Float! }
        type Advert { text: String! target: Node }
      `,
    },
    {
      name: 'clips',
      sdl: `
        type Query { clips: [Clip!]! lead: Hit labelled: [Labelled!] }
        union Hit = Clip | Page
        union Subject = Shop | Page
        interface Node { id: ID! }
        interface Labelled { label: String size: Size }
        type Clip implements Node & Labelled @key(fields: "id") { id: ID! label: String size: Size length: Int about: [Subject!] hits: [Hit] }
        type Page implements Node & Labelled @key(fields: "id") { id: ID! label: String size: Size }
        type Shop implements Node @key(fields: "id") { id: ID! top: Clip }
        type Size { width: Int height: Int! }
      `,
    },
    {
      name: 'names',
      sdl: `
        interface Named { name: String }
        type Page implements Named @key(fields: "id") { id: ID! name: String @shareable lines: [[String]] }
        type Shop implements Named @key(fields: "id") { id: ID! name: String owner: Named }
        type Clip implements Named @key(fields: "id") { id: ID! name: String }
      `,
    },
  ],
  entities: { Page: pages, Shop: shops, Clip: clips },
  resolvers: {
    'Query.search': (_, { text }) => [
      pages[0],
      { __typename: 'Advert', label: `advert for ${text}`, target: shops[0] },
      shops[1],
    ],
    'Query.first': () => pages[1],
    'Query.nodes': (_, { ids }) => ids.map((id: string) => [...pages, ...shops].find((one) => one.id === id)),
    'Query.named': () => [pages[0], null],
    'Query.clips': () => clips,
    'Query.lead': () => clips[1],
    'Query.labelled': () => [pages[0], clips[0]],
    'Clip.hits': ({ id }) => (id === 'c1' ? [pages[1], clips[1], null] : null),
    'Clip.size': ({ id }) => ({ label: `size of ${id}` }),
    'Clip.label': ({ id }) => `label of ${id}`,
    'Page.label': ({ id }) => `label of ${id}`,
    'Shop.owner': ({ id }) => (id === 'h1' ? clips[0] : pages[0]),
  },
  argumentValues: { 'Query.nodes(ids': ['p1', 'h2', 'none'], 'Query.search(text': ['x', 'y'] },
};
