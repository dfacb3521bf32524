import { pino } from 'pino';
import type { GatewayOptions } from '../../gateway/gateway.ts';
import { type InlineGateway, type InlineSubgraph, startInlineGateway } from '../harness/inlineGateway.ts';

const echo = (id: string): object => ({ __typename: 'Echo', id, text: `text ${id}`, kind: 'ONE', rate: 0.5 });

const subgraphs: readonly InlineSubgraph[] = [
  {
    name: 'echoes',
    sdl: `
      scalar Any
      enum Kind { ONE TWO }
      input Filter { id: ID text: String! = "all" kinds: [Kind!] any: Any inner: Filter }
      interface Node { id: ID! }
      type Query {
        echo(id: ID!): Echo
        node(id: ID!): Node
        find(filter: Filter, kinds: [Kind!] = [ONE], limit: Int = 2, rate: Float, on: Boolean, any: Any): [Found!]
      }
      type Mutation { touch(id: ID!): Echo rename(filter: Filter!): Echo }
      type Subscription { ticks: Int }
      type Echo implements Node @key(fields: "id") { id: ID! text: String kind: Kind rate: Float any(of: Any): Any self: Echo }
      type Odd implements Node { id: ID! constructor: String hasOwnProperty: Int }
      union Found = Echo | Odd
    `,
    resolvers: {
      Query: {
        echo: (_: never, { id }: never) => echo(id),
        node: (_: never, { id }: never) => echo(id),
        find: (_: never, { limit }: { limit?: number | null }) =>
          Array.from({ length: Math.min(5, Math.max(0, limit ?? 0)) }, (_, i) =>
            i % 2 === 0
              ? echo(`found${i}`)
              : { __typename: 'Odd', id: `odd${i}`, constructor: 'made', hasOwnProperty: 1 },
          ),
      },
      Mutation: {
        touch: (_: never, { id }: never) => echo(id),
        rename: (_: never, { filter }: { filter: { id?: string } }) => echo(filter.id ?? 'renamed'),
      },
      Echo: {
        self: ({ id }: never) => echo(id),
        any: (_: never, { of }: never) => of,
      },
    },
  },
  {
    name: 'notes',
    sdl: `
      type Echo @key(fields: "id") { id: ID! note: String friends(first: Int = 1): [Echo!]! }
    `,
    resolvers: {
      Echo: {
        note: ({ id }: never) => `note ${id}`,
        friends: ({ id }: never, { first }: { first?: number | null }) =>
          Array.from({ length: Math.min(5, Math.max(0, first ?? 1)) }, (_, i) => ({ id: `${id}.${i}` })),
      },
    },
  },
];

interface EchoGateway {
  readonly gateway: InlineGateway;
  /** Errors that the gateway logged. */
  readonly faults: readonly string[];
  close(): Promise<void>;
}

/** Starts a gateway with two subgraphs whose responses contain values of the request, so that a mixed-up response shows. */
export async function startEchoGateway(config: Partial<GatewayOptions> = {}): Promise<EchoGateway> {
  const faults: string[] = [];
  const logger = pino({ level: 'error', base: null }, { write: (line: string) => void faults.push(line) });
  const gateway = await startInlineGateway({ subgraphs, config, dependencies: { logger } });
  return { gateway, faults, close: () => gateway.close() };
}

/** Creates a request with a response that no other request has. */
export function createControlRequest(id: string): { readonly body: object; readonly data: unknown } {
  return {
    body: {
      query: `query Control($id: ID!) {
        echo(id: $id) { id text ... @defer { note friends(first: 2) { id note text } } }
      }`,
      variables: { id },
    },
    data: {
      echo: {
        id,
        text: `text ${id}`,
        note: `note ${id}`,
        friends: [0, 1].map((i) => ({ id: `${id}.${i}`, note: `note ${id}.${i}`, text: null })),
      },
    },
  };
}

/** Valid operations with variables. */
export const validOperations: readonly { readonly query: string; readonly variables: object }[] = [
  {
    query:
      'query One($id: ID!, $on: Boolean! = true) { echo(id: $id) { id text @include(if: $on) note friends { id note } } }',
    variables: { id: 'a', on: true },
  },
  {
    query: `query Two($filter: Filter, $limit: Int) {
      find(filter: $filter, limit: $limit, kinds: [ONE, TWO], any: { a: [1, "b", null] }) {
        __typename ... on Echo { id note } ... on Odd { constructor hasOwnProperty }
      }
    }`,
    variables: { filter: { text: 'x', kinds: ['TWO'], inner: { any: { deep: [1] } } }, limit: 3 },
  },
  {
    query: `query Three($id: ID!, $on: Boolean!) {
      one: echo(id: $id) { ...Part @defer(label: "part", if: $on) self { text ... @defer { note } } }
      node(id: "b") { id ... on Echo @skip(if: $on) { note } }
    } fragment Part on Echo { id friends(first: 2) { note } }`,
    variables: { id: 'c', on: false },
  },
  {
    query:
      'mutation Four($id: ID!) { touch(id: $id) { id note ... @defer { friends { note } } } rename(filter: { id: "d", text: "t" }) { id } }',
    variables: { id: 'e' },
  },
  {
    query: `query Five($any: Any, $constructor: ID = "f", $__proto__: Any) {
      constructor: echo(id: $constructor) { __proto__: id toString: note any(of: $any) hasOwnProperty: any(of: $__proto__) }
    }`,
    variables: { any: [1, { a: 'b' }] },
  },
  { query: 'subscription Six { ticks }', variables: {} },
  {
    query: '{ __typename __schema { queryType { name } } __type(name: "Echo") { fields { name } } }',
    variables: {},
  },
];
