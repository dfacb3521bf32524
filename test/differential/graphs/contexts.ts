import type { Graph, GraphObject } from './framework/graph.ts';

// Arguments from an object further up, which differs between the paths to the same entity, also below fields of an
// interface whose object types set the context, with values from different subgraphs, one of which does not know club c2.

const items: readonly GraphObject[] = ['i1', 'i2'].map((id) => ({
  __typename: 'Item',
  id,
  box: () => boxes[Number(id.slice(1)) - 1],
  kin: () => items,
}));
const boxes: readonly GraphObject[] = ['b1', 'b2'].map((id) => ({
  __typename: 'Box',
  id,
  holds: () => items[0],
}));
const users: readonly GraphObject[] = ['u1', 'u2', 'u3'].map((id, index) => ({
  __typename: 'User',
  id,
  locale: index === 2 ? 'en' : 'de',
  items: () => items.slice(index % 2),
  wallet: ({ of }: { of: number }) => ({ label: `wallet ${of} of ${id}`, holder: items[1] }),
  tags: ['a', 'b'].slice(index % 2).map((name) => ({ __typename: 'Tag', name })),
  profile: { __typename: 'Profile', label: `profile of ${id}`, favourite: () => items[index % 2] },
}));

const toys: readonly GraphObject[] = ['y1', 'y2'].map((id) => ({ __typename: 'Toy', id }));
const kids: readonly GraphObject[] = ['k1', 'k2', 'k3'].map((id, index) => ({
  __typename: 'Kid',
  id,
  toy: () => toys[index % 2],
}));
const owners: readonly GraphObject[] = [
  { __typename: 'Club', id: 'c1', locale: 'fr', kids: kids.slice(0, 2), rival: () => owners[1] },
  { __typename: 'Firm', id: 'f1', locale: 'it', kids: kids.slice(1), rival: () => owners[2] },
  { __typename: 'Team', id: 't1', locale: 'en', kids, rival: () => owners[0] },
  { __typename: 'Club', id: 'c2', locale: 'nl', kids, rival: () => owners[1] },
];

export const contexts: Graph = {
  name: 'contexts',
  subgraphs: [
    {
      name: 'users',
      sdl: `
        type Query { users: [User!]! user(id: ID!): User }
        type User @key(fields: "id") @context(name: "user") {
          id: ID! locale: String! level: Int items: [Item!] profile: Profile
          price(currency: String = "EUR"): String
          tags: [Tag!]
          wallet(of: Int = 0): Wallet
        }
        type Wallet { coin(side: String): String holder: Item }
        type Tag { name: String size: Int }
        type Profile { nick: String favourite: Item }
        type Item @key(fields: "id") {
          id: ID!
          greeting(locale: String @fromContext(field: "$user { locale }"), loud: Boolean = false): String
          rank(level: Int @fromContext(field: "$user { level }")): Int
          cost(price: String @fromContext(field: "$user { price }")): String
          fee(
            dollars: String @fromContext(field: "$user { price(currency: \\"USD\\") }")
            local: String @fromContext(field: "$user { price }")
            first: String @fromContext(field: "$user { wallet(of: 1) { coin(side: \\"FRONT\\") } }")
          ): String
          labels(
            names: [String] @fromContext(field: "$user { tags { name } }")
            sizes: [Int] @fromContext(field: "$user { tags { size } }")
          ): String
          box: Box
        }
        type Club @key(fields: "id") @context(name: "owner") { id: ID! locale: String! level: Int }
        type Firm @key(fields: "id") @context(name: "owner") { id: ID! locale: String! @shareable level: Int }
        type Team @key(fields: "id") @context(name: "owner") { id: ID! locale: String! level: Int @shareable }
        type Kid @key(fields: "id") {
          id: ID!
          mood: String
          text(locale: String @fromContext(field: "$owner { locale }")): String
          rank(
            level: Int @fromContext(field: "$owner ... on Club { level } ... on Firm { level } ... on Team { level }")
          ): Int
        }
        type Toy @key(fields: "id") {
          id: ID!
          label(locale: String @fromContext(field: "$owner { locale }"), loud: Boolean): String
        }
        type Box @key(fields: "id") { id: ID! note(locale: String @fromContext(field: "$user { locale }")): String! }
      `,
    },
    {
      name: 'items',
      sdl: `
        type Query { other: Int owners: [Owner!]! owner(id: ID!): Owner partners: [Partner] }
        union Partner = Club | Firm
        interface Owner { id: ID! kids: [Kid!]! rival: Owner }
        type Club implements Owner @key(fields: "id") { id: ID! kids: [Kid!]! rival: Owner }
        type Firm implements Owner @key(fields: "id") { id: ID! kids: [Kid!]! rival: Owner locale: String! @shareable }
        type Team implements Owner @key(fields: "id") { id: ID! kids: [Kid!]! rival: Owner level: Int @shareable }
        type Kid @key(fields: "id") { id: ID! name: String toy: Toy }
        type Toy @key(fields: "id") { id: ID! }
        type Item @key(fields: "id") { id: ID! name: String kin: [Item!] }
        type Box @key(fields: "id") { id: ID! weight: Int holds: Item }
      `,
    },
  ],
  entities: {
    User: users,
    Item: items,
    Box: boxes,
    Club: owners.filter(({ __typename }) => __typename === 'Club'),
    Firm: owners.slice(1, 2),
    Team: owners.slice(2, 3),
    Kid: kids,
    Toy: toys,
  },
  isUnknown: ({ id }, subgraph) => subgraph === 'users' && id === 'c2',
  resolvers: {
    'Query.users': () => users,
    'Query.owners': () => owners.slice(0, 3),
    'Query.owner': (_, { id }) => owners.find((owner) => owner.id === id),
    'Query.partners': () => owners.slice(0, 2),
    'Query.user': (_, { id }) => users.find((user) => user.id === id),
  },
  argumentValues: {
    'Query.owner(id': ['c1', 'f1', 't1', 'c2'],
    'Query.user(id': ['u1', 'u3', 'none'],
    currency: ['EUR', 'USD'],
    side: ['FRONT', 'BACK'],
    of: [0, 1],
  },
};
