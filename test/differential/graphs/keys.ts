import type { Graph, GraphObject } from './framework/graph.ts';

// Keys of every form: several keys of one type, compound, nested, and with a list of objects. Each subgraph knows the
// entity by a key of its own, so that one key leads to the next.

const organisations: readonly GraphObject[] = [
  { __typename: 'Organisation', id: 'o1' },
  { __typename: 'Organisation', id: 'o2' },
];

const users: readonly GraphObject[] = [
  user('u1', 'ann', 0, ['x', 'y']),
  user('u2', 'bob', 1, []),
  user('u3', 'cid', 0, ['z']),
];

function user(id: string, login: string, organisation: number, tags: readonly string[]): GraphObject {
  return {
    __typename: 'User',
    id,
    login,
    organisation: organisations[organisation],
    tags: tags.map((name) => ({ name, label: `tag ${name} of ${id}` })),
    friends: () => users.filter((other) => other.id !== id),
    seat: {
      __typename: 'Seat',
      row: login.length,
      number: Number(id.slice(1)),
      label: `seat of ${id}`,
      of: () => users[0],
    },
  };
}

export const keys: Graph = {
  name: 'keys',
  subgraphs: [
    {
      name: 'people',
      sdl: `
        type Query { users: [User!]! user(id: ID!): User }
        type User @key(fields: "id") @key(fields: "login organisation { id }") {
          id: ID!
          login: String!
          organisation: Organisation!
          fullName(upper: Boolean = false): String
        }
        type Organisation @key(fields: "id") { id: ID! }
      `,
    },
    {
      name: 'tags',
      sdl: `
        type User @key(fields: "login organisation { id }") @key(fields: "tags { name }") {
          login: String!
          organisation: Organisation!
          tags: [Tag!]!
          friends: [User!]
        }
        type Organisation @key(fields: "id", resolvable: false) { id: ID! }
        type Tag @shareable { name: String! }
      `,
    },
    {
      name: 'seats',
      sdl: `
        type Query { seats: [Seat] }
        type User @key(fields: "tags { name }") { tags: [Tag!]! seat: Seat badge: String! }
        type Tag @shareable { name: String! }
        type Seat @key(fields: "row number") { row: Int! number: Int! of: User window: Boolean }
      `,
    },
    {
      name: 'organisations',
      sdl: `
        type Query { organisations: [Organisation!]! }
        type Organisation @key(fields: "id") { id: ID! title: String members: [User] }
        type User @key(fields: "id", resolvable: false) { id: ID! }
        type Seat @key(fields: "row number") { row: Int! number: Int! price: Float }
      `,
    },
  ],
  entities: { User: users, Organisation: organisations, Seat: users.map(({ seat }) => seat as GraphObject) },
  resolvers: {
    'Query.users': () => users,
    'Query.user': (_, { id }) => users.find((user) => user.id === id),
    'Query.seats': () => [users[0]?.seat, null, users[2]?.seat],
    'Query.organisations': () => organisations,
    'Organisation.members': (self) => users.filter(({ organisation }) => organisation === self),
  },
  argumentValues: { 'Query.user(id': ['u1', 'u2', 'nobody'] },
};
