import type { Graph, GraphObject } from './framework/graph.ts';

// Abstract types with one member, or with none that clients can see, and root fields of only these types.

const lone: readonly GraphObject[] = ['l1', 'l2'].map((id) => ({
  __typename: 'Lone',
  id,
  peer: () => lone[1],
}));

export const loneMembers: Graph = {
  name: 'loneMembers',
  subgraphs: [
    {
      name: 'one',
      sdl: `
        type Query { only: Only onlys: [Only!]! void: Void single: Single ghost: Ghost }
        interface Only { id: ID! title: String peer: Only }
        type Lone implements Only @key(fields: "id") { id: ID! title: String peer: Only }
        interface Void { nothing: String }
        union Single = Lone
        interface Ghost { boo: String }
        type Sheet implements Ghost @inaccessible { boo: String }
      `,
    },
    {
      name: 'two',
      sdl: `
        type Query { others: [Mixed] }
        union Mixed = Lone
        type Lone @key(fields: "id") { id: ID! price: Int mixed: Mixed }
      `,
    },
  ],
  entities: { Lone: lone },
  resolvers: {
    'Query.only': () => lone[0],
    'Query.onlys': () => lone,
    'Query.void': () => null,
    'Query.single': () => lone[1],
    'Query.ghost': () => null,
    'Query.others': () => [lone[1], null],
    'Lone.mixed': () => lone[0],
  },
};
