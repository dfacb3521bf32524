import type { Graph, GraphObject } from './framework/graph.ts';

// Elements that are hidden from clients: the key itself, required fields, types, union members, enum values,
// arguments.

const staff: readonly GraphObject[] = ['w1', 'w2', 'w3'].map((code, index) => ({
  __typename: 'Worker',
  code,
  label: `worker ${code}`,
  boss: () => staff[0],
  rank: ['LOW', 'HIGH', 'TOP'][index],
}));

export const inaccessible: Graph = {
  name: 'inaccessible',
  subgraphs: [
    {
      name: 'staff',
      sdl: `
        type Query { staff(limit: Int = 3, salt: String = "s" @inaccessible): [Worker!]! secrets: [Secret] @inaccessible any: [Any!]! one: Any }
        type Worker @key(fields: "code") { code: ID! @inaccessible name: String salary: Int @inaccessible boss: Worker rank: Rank }
        enum Rank { LOW HIGH TOP @inaccessible }
        union Any = Worker | Secret
        type Secret @inaccessible { text: String }
        input Hidden @inaccessible { a: Int }
      `,
    },
    {
      name: 'pay',
      sdl: `
        type Query { pays: Int }
        type Worker @key(fields: "code") {
          code: ID!
          salary: Int @external
          bonus(bands: Int = 1): String @requires(fields: "salary")
          grade: Grade @inaccessible
          id: String
        }
        type Grade { step: Int! level: String }
      `,
    },
    {
      name: 'desks',
      sdl: `
        type Worker @key(fields: "code") {
          code: ID!
          grade: Grade @external
          desk: String! @requires(fields: "grade { step }")
          lamp: Lamp
        }
        type Grade @external { step: Int! }
        type Lamp @key(fields: "hidden") { hidden: Int! @inaccessible watts: Int }
      `,
    },
    {
      name: 'lamps',
      sdl: `
        type Lamp @key(fields: "hidden") { hidden: Int! kind: String! holder: Worker }
        type Worker @key(fields: "code") { code: ID! }
      `,
    },
  ],
  entities: {
    Worker: staff,
    Lamp: [1, 2, 3].map((hidden) => ({
      __typename: 'Lamp',
      hidden,
      label: `lamp ${hidden}`,
      holder: () => staff[hidden % 3],
    })),
  },
  resolvers: {
    'Query.staff': (_, { limit, salt }) => (salt === 's' ? staff.slice(0, limit ?? 3) : []),
    'Query.any': () => staff,
    'Query.one': () => ({ __typename: 'Secret', label: 'secret' }),
    'Worker.grade': ({ code }) => ({ label: `grade of ${code}` }),
    'Worker.lamp': ({ code }) => inaccessible.entities.Lamp?.[Number(code.slice(1)) - 1],
  },
  hiddenWords: ['code', 'salary', 'secrets', 'Secret', 'TOP', 'Hidden', 'grade', 'salt', 'hidden'],
  argumentValues: { limit: [0, 1, 2, 3], 'Worker.bonus(bands': [1, 2] },
};
