import type { Graph, GraphObject } from './framework/graph.ts';

// One field with different arguments: in two `@requires`, in one that the client also selects, and nested.

const rooms: readonly GraphObject[] = ['r1', 'r2', 'r3'].map((id) => ({
  __typename: 'Room',
  id,
  next: () => rooms[1],
}));

export const requiresArguments: Graph = {
  name: 'requiresArguments',
  subgraphs: [
    {
      name: 'rooms',
      sdl: `
        type Query { rooms: [Room!]! room(id: ID!): Room }
        type Room @key(fields: "id") {
          id: ID!
          area(unit: Unit = METRE, round: Boolean): Float
          walls(first: Int): [Wall!]!
          next: Room
        }
        type Wall { length(unit: Unit = METRE): Int colour: String }
        enum Unit { METRE FOOT INCH }
      `,
    },
    {
      name: 'prices',
      sdl: `
        type Room @key(fields: "id") {
          id: ID!
          area(unit: Unit = METRE, round: Boolean): Float @external
          walls(first: Int): [Wall!]! @external
          rent: String @requires(fields: "area(unit: FOOT)")
          sale: String @requires(fields: "area(unit: METRE)")
          tax(year: Int = 1): String @requires(fields: "area")
          paint: String @requires(fields: "walls(first: 1) { length(unit: INCH) colour }")
          paper: String @requires(fields: "walls { length }")
          plain: String
        }
        type Wall @external { length(unit: Unit = METRE): Int colour: String }
        enum Unit { METRE FOOT INCH }
      `,
    },
    {
      name: 'heating',
      sdl: `
        type Room @key(fields: "id") {
          id: ID!
          area(unit: Unit = METRE, round: Boolean): Float @external
          tax(year: Int = 1): String @external
          heat: String! @requires(fields: "area(unit: FOOT, round: true)")
          bill: String @requires(fields: "tax(year: 2) area(unit: INCH)")
        }
        enum Unit { METRE FOOT INCH }
      `,
    },
  ],
  entities: { Room: rooms },
  resolvers: {
    'Query.rooms': () => rooms,
    'Query.room': (_, { id }) => rooms.find((room) => room.id === id),
    'Room.walls': ({ id }, { first }) =>
      [1, 2].slice(0, first ?? 2).map((number) => ({ label: `wall ${number} of ${id}` })),
  },
  argumentValues: { 'Query.room(id': ['r1', 'r2', 'none'], 'Room.walls(first': [0, 1, 2] },
};
