import type { Graph, GraphObject } from './framework/graph.ts';

// A subgraph whose entities have one key outwards and another key inwards, and that is fetched again for required
// fields.

const jobs: readonly GraphObject[] = ['j1', 'j2', 'j3'].map((id, index) => ({
  __typename: 'Job',
  id,
  slug: `slug-${id}`,
  next: () => jobs[(index + 1) % 3],
}));

export const unresolvableKeys: Graph = {
  name: 'unresolvableKeys',
  subgraphs: [
    {
      name: 'jobs',
      sdl: `
        type Query { jobs: [Job!]! job(slug: String!): Job }
        type Job @key(fields: "id", resolvable: false) @key(fields: "slug") {
          id: ID!
          slug: String!
          title: String
          load: Int @external
          plan: String @requires(fields: "load")
        }
      `,
    },
    {
      name: 'loads',
      sdl: `
        type Query { heaviest: Job }
        type Job @key(fields: "id") {
          id: ID!
          load: Int
          title: String @external
          queue(position: Int = 0): String! @requires(fields: "title")
          next: Job!
        }
      `,
    },
    {
      name: 'links',
      sdl: `
        type Job @key(fields: "id") @key(fields: "slug", resolvable: false) { id: ID! slug: String! load: Int @external tail: String @requires(fields: "load") }
      `,
    },
  ],
  entities: { Job: jobs },
  resolvers: {
    'Query.jobs': () => jobs,
    'Query.job': (_, { slug }) => jobs.find((job) => job.slug === slug),
    'Query.heaviest': () => jobs[2],
  },
  argumentValues: { 'Query.job(slug': ['slug-j1', 'none'] },
};
