import type { Graph, GraphObject } from './framework/graph.ts';

// Required fields below an interface, of union members, and of lists of these.

const tasks: readonly GraphObject[] = ['t1', 't2', 't3', 't4'].map((id, index) => ({
  __typename: 'Task',
  id,
  holder: index === 3 ? null : index % 2 === 0 ? person(id) : team(id),
  parts: index === 1 ? [] : [step(id), null, pause(id)],
  about: index === 2 ? step(id) : pause(id),
}));

function person(id: string): GraphObject {
  return { __typename: 'Person', label: `person of ${id}`, home: { label: `home of ${id}` } };
}
function team(id: string): GraphObject {
  return { __typename: 'Team', label: `team of ${id}`, home: { label: `base of ${id}` } };
}
function step(id: string): GraphObject {
  return { __typename: 'Step', label: `step of ${id}` };
}
function pause(id: string): GraphObject {
  return { __typename: 'Pause', label: `pause of ${id}` };
}

export const requiresAbstract: Graph = {
  name: 'requiresAbstract',
  subgraphs: [
    {
      name: 'tasks',
      sdl: `
        type Query { tasks: [Task!]! }
        type Task @key(fields: "id") { id: ID! holder: Holder parts: [Part] about: Part! }
        interface Holder { name: String home: Home }
        type Person implements Holder { name: String home: Home age: Int! }
        type Team implements Holder { name: String home: Home size: Int }
        type Home { town: String street: String }
        union Part = Step | Pause
        type Step { title: String work: Int }
        type Pause { minutes: Int! }
      `,
    },
    {
      name: 'reports',
      sdl: `
        type Task @key(fields: "id") {
          id: ID!
          holder: Holder @external
          parts: [Part] @external
          about: Part! @external
          letter: String @requires(fields: "holder { name home { town } }")
          card: String @requires(fields: "holder { name ... on Person { age } ... on Team { size } }")
          total: Int @requires(fields: "parts { ... on Step { work } ... on Pause { minutes } }")
          line: String! @requires(fields: "about { __typename ... on Step { title } } holder { __typename ... on Team { name } }")
        }
        interface Holder { name: String home: Home }
        type Person implements Holder @external { name: String home: Home age: Int! }
        type Team implements Holder @external { name: String home: Home size: Int }
        type Home @external { town: String }
        union Part = Step | Pause
        type Step @external { title: String work: Int }
        type Pause @external { minutes: Int! }
      `,
    },
  ],
  entities: { Task: tasks },
  resolvers: { 'Query.tasks': () => tasks },
};
