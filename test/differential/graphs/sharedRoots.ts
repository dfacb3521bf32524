import type { Graph, GraphObject } from './framework/graph.ts';

// Root fields that several subgraphs resolve, each with a part of the fields below: entities, and values without a
// key that only the root leads to.

const items: readonly GraphObject[] = ['i1', 'i2'].map((id) => ({
  __typename: 'Item',
  id,
  size: { label: `size of ${id}` },
}));

const settings: GraphObject = {
  label: 'settings',
  theme: { label: 'theme', colour: { label: 'colour' } },
  limits: [{ label: 'limit 0' }, { label: 'limit 1' }],
};

export const sharedRoots: Graph = {
  name: 'sharedRoots',
  subgraphs: [
    {
      name: 'one',
      sdl: `
        type Query @shareable { settings(profile: String): Settings! items(first: Int = 2): [Item!]! }
        type Settings @shareable { language: String theme: Theme limits: [Limit!] version: Int! }
        type Theme @shareable { name: String colour: Colour }
        type Colour @shareable { red: Int alpha: Float }
        type Limit @shareable { soft: Int }
        type Item @key(fields: "id") { id: ID! name: String size: Size @shareable }
        type Size @shareable { width: Int height: Int unit: String }
      `,
    },
    {
      name: 'two',
      sdl: `
        type Query @shareable { settings(profile: String): Settings! items(first: Int = 2): [Item!]! item(id: ID!): Item }
        type Settings @shareable { region: String theme: Theme limits: [Limit!] version: Int! }
        type Theme @shareable { font: String colour: Colour }
        type Colour @shareable { green: Int alpha: Float }
        type Limit @shareable { hard: Int! }
        type Item @key(fields: "id") { id: ID! price: Int size: Size @shareable }
        type Size @shareable { height: Int width: Int unit: String }
      `,
    },
    {
      name: 'three',
      sdl: `
        type Query @shareable { settings(profile: String): Settings! item(id: ID!): Item }
        type Settings @shareable { plan: String theme: Theme version: Int! }
        type Theme @shareable { dark: Boolean colour: Colour }
        type Colour @shareable { blue: Int }
        type Item @key(fields: "id", resolvable: false) { id: ID! }
      `,
    },
  ],
  entities: { Item: items },
  resolvers: {
    'Query.settings': (_, { profile }) => ({ ...settings, label: `settings ${profile}` }),
    'Query.items': (_, { first }) => items.slice(0, first ?? 2),
    'Query.item': (_, { id }) => items.find((item) => item.id === id),
  },
  argumentValues: { 'Query.item(id': ['i1', 'i2', 'none'], first: [0, 1, 2] },
};
