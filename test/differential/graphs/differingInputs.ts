import type { Graph, GraphObject } from './framework/graph.ts';

// Enums, input objects and arguments that differ between subgraphs. Clients can use what all subgraphs have.

const colours = ['RED', 'GREEN', 'BLUE'];
const cars: readonly GraphObject[] = colours.map((colour, index) => ({
  __typename: 'Car',
  id: `k${index}`,
  colour,
}));

export const differingInputs: Graph = {
  name: 'differingInputs',
  subgraphs: [
    {
      name: 'lots',
      sdl: `
        directive @oneOf on INPUT_OBJECT
        type Query @shareable {
          cars(filter: Filter, order: Order = NAME, extra: Int): [Car!]!
          pick(by: Pick!): Car
        }
        input Pick @oneOf { doors: Int range: Range orders: [Order!] own: String }
        enum Order { NAME PRICE AGE }
        enum Colour { RED GREEN }
        enum Mood { CALM LOUD }
        input Filter { colour: String doors: [Int!] nested: Range = { low: 1 } own: String }
        input Range { low: Int high: Int = 9 unit: Order }
        scalar Any
        type Car @key(fields: "id") {
          id: ID!
          describe(filter: Filter, order: [Order!], any: Any): String!
          mood: Mood
        }
      `,
    },
    {
      name: 'paint',
      sdl: `
        directive @oneOf on INPUT_OBJECT
        type Query @shareable { cars(filter: Filter, order: Order = NAME): [Car!]! }
        input Pick @oneOf { doors: Int range: Range orders: [Order!] other: Int }
        enum Order { NAME PRICE }
        enum Colour { GREEN BLUE RED }
        enum Mood { LOUD SAD }
        input Filter { colour: String doors: [Int!] nested: Range = { low: 1 } other: Boolean }
        input Range { low: Int high: Int = 9 unit: Order }
        scalar Any
        type Car @key(fields: "id") {
          id: ID!
          colour: Colour @shareable
          tint(range: Range! = { low: 3, unit: PRICE }, moods: [[Order]]): String
          payload(any: Any = 3): Any
          picks(by: Pick = { doors: 2 }, all: [Pick!]): String
        }
      `,
    },
  ],
  entities: { Car: cars },
  resolvers: {
    'Query.cars': (_, { filter, order }) => cars.slice(filter?.doors?.length ?? 0, order === 'PRICE' ? 2 : 3),
    'Query.pick': (_, { by }) => cars[by.doors ?? by.orders?.length ?? 0],
    'Car.mood': () => 'LOUD',
    'Car.payload': ({ id }, { any }) => ({ id, any: any ?? null }),
  },
  hiddenWords: ['AGE', 'extra', 'own', 'other'],
  argumentValues: {
    any: [1, 'text', [1, [2]], { a: { b: null } }, true],
  },
};
