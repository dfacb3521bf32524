import { pino } from 'pino';
import { type InlineGateway, type InlineSubgraph, startInlineGateway } from '../harness/inlineGateway.ts';
import { exchange as exchangeOnce } from '../harness/rawHttp.ts';
import { type Exchange, type ScriptedSubgraph, startScriptedSubgraph } from '../harness/scriptedSubgraph.ts';

const user = (id: string): object => ({
  __typename: 'User',
  id,
  name: `name ${id}`,
  age: 30,
  rate: 0.5,
  active: true,
  kind: 'ONE',
  kinds: ['ONE', 'TWO'],
  extra: { a: [1, 'x'] },
  sure: [{ b: `sure ${id}` }],
  matrix: [[1, 2], null, []],
  address: { street: `street ${id}`, city: { name: 'Bern', code: 3000 } },
  constructor: `constructor ${id}`,
  toString: { c: id },
});
const bot = (id: string): object => ({ __typename: 'Bot', id, model: `model ${id}` });

const subgraphs: readonly InlineSubgraph[] = [
  {
    name: 'users',
    sdl: `
      scalar Any
      enum Kind { ONE TWO SECRET @inaccessible }
      interface Node { id: ID! }
      union Hit = User | Bot | Address
      type Query {
        user(id: ID!): User
        sure(id: ID!): User!
        users(id: ID!): [User!]
        hits(id: ID!): [Hit]
        node(id: ID!): Node
        grid(id: ID!): [[User!]]!
      }
      type Mutation { touch(id: ID!): User! retouch(id: ID!): User }
      type User implements Node @key(fields: "id") {
        id: ID! name: String! age: Int rate: Float active: Boolean! kind: Kind! kinds: [Kind!]!
        extra: Any sure: Any! matrix: [[Int!]] best: User friends: [User!]! address: Address!
        constructor: String toString: Any
      }
      type Address { street: String! city: City }
      type City { name: String! code: Int! }
      type Bot implements Node @key(fields: "id") { id: ID! model: String! }
    `,
    resolvers: {
      Query: {
        user: (_: never, { id }: never) => user(id),
        sure: (_: never, { id }: never) => user(id),
        users: (_: never, { id }: { id: string }) => [user(id), user(`${id}.u`)],
        hits: (_: never, { id }: { id: string }) => [
          user(id),
          bot(`${id}.b`),
          { __typename: 'Address', street: `street ${id}` },
        ],
        node: (_: never, { id }: { id: string }) => bot(`${id}.n`),
        grid: (_: never, { id }: { id: string }) => [[user(id)], [user(`${id}.g`), user(id)]],
      },
      Mutation: {
        touch: (_: never, { id }: never) => user(id),
        retouch: (_: never, { id }: never) => user(id),
      },
      User: {
        __resolveReference: ({ id }: never) => user(id),
        best: ({ id }: { id: string }) => user(`${id}.best`),
        friends: ({ id }: { id: string }) => [user(`${id}.f`), user(`${id}.best`)],
      },
      Bot: { __resolveReference: ({ id }: never) => bot(id) },
    },
  },
  {
    name: 'posts',
    sdl: `
      type User @key(fields: "id") { id: ID! posts: [Post!]! last: Post score: Int! note: String }
      type Bot @key(fields: "id") { id: ID! posts: [Post!] }
      type Post @key(fields: "id") { id: ID! title: String! tags: [String!]! author: User! }
    `,
    resolvers: {
      User: {
        posts: ({ id }: { id: string }) => [{ id: `${id}.p` }, { id: `${id}.q` }],
        last: ({ id }: { id: string }) => ({ id: `${id}.q` }),
        score: () => 7,
        note: ({ id }: { id: string }) => `note ${id}`,
      },
      Bot: { posts: ({ id }: { id: string }) => [{ id: `${id}.r` }] },
      Post: {
        title: ({ id }: { id: string }) => `title ${id}`,
        tags: ({ id }: { id: string }) => [`tag ${id}`, 'all'],
        author: ({ id }: { id: string }) => ({ id: `${id}.a` }),
      },
    },
  },
  {
    name: 'ranks',
    sdl: `
      type User @key(fields: "id") {
        id: ID! name: String! @external age: Int @external rank: Int! @requires(fields: "name age") badge: Badge
      }
      type Badge { text: String! level: Int }
      type Post @key(fields: "id") { id: ID! likes: Int! liked: [User] }
    `,
    resolvers: {
      User: {
        rank: () => 3,
        badge: ({ id }: { id: string }) => ({ text: `badge ${id}`, level: 1 }),
      },
      Post: { likes: () => 2, liked: ({ id }: { id: string }) => [{ id: `${id}.l` }, null] },
    },
  },
];

/** Operations that select `__typename` wherever the runtime type is not known from the schema. */
export const operations: readonly string[] = [
  'query ($id: ID!) { user(id: $id) { id name age rate active kind kinds extra sure matrix } }',
  'query ($id: ID!) { user(id: $id) { constructor toString __proto__: name hasOwnProperty: extra note } }',
  `query ($id: ID!) { sure(id: $id) { name rank score ...Late @defer } }
   fragment Late on User { note badge { text level } best { id rank ... @defer { posts { title likes } } } }`,
  `query ($id: ID!) { users(id: $id) { id address { street city { name code } } friends { name rank
    ... @defer(label: "f") { last { title author { name } } } } } }`,
  `query ($id: ID!) { hits(id: $id) { __typename ... on User { name score } ... on Bot { model posts { title } }
    ... on Address { street } } node(id: $id) { __typename id ... on Bot { ... @defer { model posts { likes } } } } }`,
  `query ($id: ID!) { grid(id: $id) { id rank posts { tags likes liked { name note } } }
    ... @defer { user(id: $id) { posts { author { id badge { text } } } } } }`,
  'mutation ($id: ID!) { touch(id: $id) { id score ... @defer { rank } } retouch(id: $id) { note badge { level } } }',
  `query ($id: ID!) { one: user(id: $id) { rank } two: user(id: $id) { name posts { title } ... @defer { posts { id likes } } }
    sure(id: $id) { friends { friends { note } } } }`,
];

export interface BrokenSubgraphs {
  readonly gateway: InlineGateway;
  /** Errors that the gateway logged. */
  readonly faults: readonly string[];
  close(): Promise<void>;
}

/** Writes the response to a call instead of the correct one. `caseName`: the client's `x-case` header. */
type AnswerCorruptor = (
  exchange: Exchange,
  call: { readonly subgraph: string; readonly caseName: string; readonly right: string },
) => void | Promise<void>;

/** Starts a gateway with three subgraphs, whose responses `breakAnswer` writes. */
export async function startBrokenSubgraphs(breakAnswer: AnswerCorruptor): Promise<BrokenSubgraphs> {
  const faults: string[] = [];
  const logger = pino({ level: 'error', base: null }, { write: (line: string) => void faults.push(line) });
  const fronts = new Map<string, ScriptedSubgraph>();
  for (const { name } of subgraphs) fronts.set(name, await startScriptedSubgraph());
  const gateway = await startInlineGateway({
    subgraphs,
    dependencies: { logger },
    config: {
      security: { introspection: true },
      subgraphs: {
        // Long, so that only a hanging call times out and not a slow machine.
        all: {
          headers: { forward: ['x-case'] },
          timeouts: { attempt: '30s', deadline: '50s' },
          // A circuit that the faults of one case open would be open for the next cases.
          breaker: { enabled: false },
        },
        ...Object.fromEntries([...fronts].map(([name, { url }]) => [name, { url }])),
      },
    },
  });
  for (const [name, front] of fronts) {
    front.setDefaultScript(async (exchange) => {
      const { body, headers } = exchange.request;
      const right = await exchangeOnce(gateway.subgraph(name).url, { body });
      const call = { subgraph: name, caseName: headers.get('x-case') ?? '', right: right.body };
      await breakAnswer(exchange, call);
    });
  }
  return {
    gateway,
    faults,
    close: async () => {
      await gateway.close();
      await Promise.all([...fronts.values()].map((front) => front.close()));
    },
  };
}
