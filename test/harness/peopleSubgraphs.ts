import { federationLink } from './composeSubgraphs.ts';

/** Users who know each other, and their reviews: two subgraphs with an entity each. */
const accounts = {
  name: 'accounts',
  url: 'http://accounts.test/graphql',
  sdl: `${federationLink}
    type Query { me: User users: [User!]! }
    type User @key(fields: "id") { id: ID! name: String friend: User }
  `,
};

const reviews = {
  name: 'reviews',
  url: 'http://reviews.test/graphql',
  sdl: `${federationLink}
    type User @key(fields: "id") { id: ID! reviews: [Review!] }
    type Review { id: ID! body: String author: User }
    type Mutation { review(body: String!): Review }
    type Subscription { reviewed: Review }
  `,
};

export const people = [accounts, reviews];

/** Creates a short operation that expands to 2^levels selections and is within every size limit. */
export function hostileOperation(levels: number): string {
  const fragments = Array.from(
    { length: levels },
    (_, level) =>
      `fragment F${level} on User { a: friend { ...F${level + 1} } b: friend { ...F${level + 1} } }`,
  );
  return ['{ me { ...F0 } }', ...fragments, `fragment F${levels} on User { name reviews { body } }`].join(
    '\n',
  );
}
