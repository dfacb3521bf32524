import type { Graph, GraphObject } from './framework/graph.ts';

// Lists of lists of entities with forbidden nulls, also below an interface: how far each null propagates, within a
// subgraph's response and across two subgraphs.

const cells: readonly GraphObject[] = ['c1', 'c2', 'c3', 'c4'].map((id, index) => ({
  __typename: 'Cell',
  id,
  must: index === 1 ? null : `must of ${id}`,
  deep:
    index === 2
      ? { label: `deep of ${id}`, must: null }
      : { label: `deep of ${id}`, must: { label: `must of ${id}` } },
  // The subgraph of this field does not know the last entity.
  twin: () => cells[(index + 1) % 3],
}));

export const nonNull: Graph = {
  name: 'nonNull',
  subgraphs: [
    {
      name: 'grid',
      sdl: `
        type Query { rows: [[Cell]] strict: [[Cell!]!] strictest: [[Cell!]!]! cube: [[[Cell]!]] cell(id: ID!): Cell board: Board slots: [Slot] }
        interface Slot { cell: Cell }
        type Open implements Slot { cell: Cell cells: [[Cell]!] }
        type Shut implements Slot { cell: Cell lock: Int! }
        type Board { name: String! rows: [[Cell!]] first: Cell! }
        type Cell @key(fields: "id") { id: ID! title: String tags: [[String!]] }
      `,
    },
    {
      name: 'content',
      sdl: `
        type Cell @key(fields: "id") { id: ID! must: String! may: Int deep: Deep twin: Cell! twins: [Cell!] }
        type Deep { must: Inner! may: String }
        type Inner { value: Int! }
      `,
    },
    {
      name: 'extra',
      sdl: `
        type Query { extra: [Cell]! }
        type Cell @key(fields: "id") { id: ID! may: Int @external sum: String! @requires(fields: "may") links: [[Cell!]!] }
      `,
    },
  ],
  entities: { Cell: cells },
  isUnknown: ({ id }, subgraph) => subgraph === 'content' && id === 'c4',
  resolvers: {
    'Query.rows': () => [[cells[0], cells[1]], null, [], [null, cells[2]]],
    'Query.strict': () => [[cells[0], cells[2]], [cells[3]]],
    'Query.strictest': () => [[cells[0]], [cells[2], cells[2]]],
    'Query.cube': () => [[[cells[0], null], [cells[1]]], null, [[], [cells[3]]]],
    'Query.cell': (_, { id }) => cells.find((cell) => cell.id === id),
    'Query.board': () => ({ label: 'board', rows: [[cells[0]], [cells[1], cells[2]]], first: cells[2] }),
    'Query.slots': () => [
      { __typename: 'Open', label: 'open', cell: cells[1], cells: [[cells[1], cells[0]]] },
      { __typename: 'Shut', label: 'shut', cell: cells[1] },
    ],
    'Query.extra': () => [cells[3], null, cells[0]],
    'Cell.twins': ({ id }) => (id === 'c1' ? [cells[1], cells[2]] : [cells[0]]),
    'Cell.links': ({ id }) => (id === 'c1' ? [[cells[3]], [cells[0]]] : [[], [cells[2]]]),
  },
  argumentValues: { 'Query.cell(id': ['c1', 'c2', 'c4', 'none'] },
};
