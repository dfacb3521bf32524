import type { Graph, GraphObject } from './framework/graph.ts';

// Values without a key whose fields come from several subgraphs. They are merged path by path, including lists, and
// are null in all subgraphs if they are null in one.

const trips: readonly GraphObject[] = ['t1', 't2', 't3'].map((id, index) => ({
  __typename: 'Trip',
  id,
  route:
    index === 2
      ? null
      : { label: `route of ${id}`, ends: [{ label: `start of ${id}` }, { label: `end of ${id}` }] },
  legs: [0, 1, 2]
    .slice(index)
    .map((number) =>
      number === 1
        ? null
        : { label: `leg ${number} of ${id}`, stops: [[{ label: `stop ${number} of ${id}` }, null], []] },
    ),
}));

export const values: Graph = {
  name: 'values',
  subgraphs: [
    {
      name: 'plans',
      sdl: `
        type Query { trips: [Trip!]! trip(id: ID!): Trip }
        type Trip @key(fields: "id") { id: ID! route: Route @shareable legs: [Leg]! @shareable }
        type Route @shareable { name: String ends: [End!] length(unit: String = "km"): Float! }
        type End @shareable { town: String }
        type Leg @shareable { mode: String stops: [[Stop]!] }
        type Stop @shareable { name: String! }
      `,
    },
    {
      name: 'times',
      sdl: `
        type Trip @key(fields: "id") { id: ID! route: Route @shareable legs: [Leg]! @shareable start: String }
        type Route @shareable { hours: Int! ends: [End!] length(unit: String = "km"): Float! }
        type End @shareable { town: String zone: String! }
        type Leg @shareable { minutes: Int! stops: [[Stop]!] }
        type Stop @shareable { wait: Int }
      `,
    },
    {
      name: 'fares',
      sdl: `
        type Query { cheapest: Trip }
        type Trip @key(fields: "id") { id: ID! legs: [Leg]! @shareable fare: Fare }
        type Leg @shareable { price: Float mode: String }
        type Fare { total: Float! parts: [Part!] }
        type Part { amount: Float of: Trip }
      `,
    },
  ],
  entities: { Trip: trips },
  resolvers: {
    'Query.trips': () => trips,
    'Query.trip': (_, { id }) => trips.find((trip) => trip.id === id),
    'Query.cheapest': () => trips[1],
    'Trip.fare': ({ id }) => ({
      label: `fare of ${id}`,
      parts: trips.map((of) => ({ label: `part ${of.id} of ${id}`, of })),
    }),
  },
  argumentValues: { 'Query.trip(id': ['t1', 't3', 'none'], unit: ['km', 'mi'] },
};
