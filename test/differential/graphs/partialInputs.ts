import type { Graph, GraphObject } from './framework/graph.ts';

// Fields of one subgraph with different inputs, below fields that all types of an interface have. A client may select them
// for the objects of one type only, and the subgraph of the interface then provides the inputs of these only.

const kids: readonly GraphObject[] = ['k1', 'k2', 'k3'].map((id) => ({
  __typename: 'Kid',
  id,
  home: { street: `street of ${id}`, town: `town of ${id}` },
}));
const owners: readonly GraphObject[] = [
  { __typename: 'Club', id: 'c1', kids: kids.slice(0, 2), best: () => kids[0], rival: () => owners[1] },
  { __typename: 'Firm', id: 'f1', kids: kids.slice(1), best: () => kids[2], rival: () => owners[0] },
];

export const partialInputs: Graph = {
  name: 'partialInputs',
  subgraphs: [
    {
      name: 'owners',
      sdl: `
        type Query { owners: [Owner!]! }
        interface Owner { kids: [Kid!]! best: Kid rival: Owner }
        type Club implements Owner { kids: [Kid!]! best: Kid rival: Owner }
        type Firm implements Owner { kids: [Kid!]! best: Kid rival: Owner }
        type Kid @key(fields: "id") { id: ID! age(in: Unit = YEARS): Int home: Home }
        type Home { street: String town: String }
        enum Unit { YEARS DAYS }
      `,
    },
    {
      name: 'people',
      sdl: `
        type Kid @key(fields: "id") {
          id: ID!
          age(in: Unit = YEARS): Int @external
          home: Home @external
          mood: String
          weight: String @requires(fields: "age")
          height: String @requires(fields: "age(in: DAYS)")
          town: String @requires(fields: "home { town }")
          address: String @requires(fields: "age home { street }")
        }
        type Home { street: String @external town: String @external }
        enum Unit { YEARS DAYS }
      `,
    },
    {
      name: 'texts',
      sdl: `
        type Kid @key(fields: "id") {
          id: ID!
          weight: String @external
          town: String @external
          plain: String
          label: String @requires(fields: "weight")
          note: String @requires(fields: "town weight")
        }
      `,
    },
  ],
  entities: { Kid: kids },
  resolvers: { 'Query.owners': () => owners },
};
