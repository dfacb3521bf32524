import { describe, expect, test } from '@jest/globals';
import { type InlineGateway, startInlineGateway } from '../harness/inlineGateway.ts';
import { exchange, exchangeJson } from '../harness/rawHttp.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';
import { Peer } from '../harness/webSocketPeer.ts';

// What a gateway with the default configuration must not tell its clients about the schema and the subgraphs.
const subgraphs = [
  {
    name: 'shop',
    sdl: `
      type Query { product(filter: Filter, size: Size): Product anything: Anything failing: Int }
      type Product { name: String secretPrice(currency: String): Int }
      type Service { label: String }
      union Anything = Product | Service
      input Filter { minimumPrice: Int size: Size }
      enum Size { SMALL LARGE }
    `,
    resolvers: {
      Query: {
        failing: () => {
          throw new Error('Table prices is locked by host db-7.internal.');
        },
      },
    },
  },
];

const closed = disposeAfterSuite(await startInlineGateway({ subgraphs }));
const open = await startInlineGateway({
  subgraphs,
  config: { security: { suggestions: true, exposeSubgraphErrors: true, exposeSubgraphs: true } },
});
disposeAfterSuite(open);

type Operation = { readonly query: string; readonly variables?: Readonly<Record<string, unknown>> };

const queryString = ({ query, variables }: Operation) =>
  `/graphql?${new URLSearchParams({ query, variables: JSON.stringify(variables ?? {}) })}`;

/** Sends an operation over each transport. Resolves to the response as text. */
const transports: Readonly<Record<string, (url: string, operation: Operation) => Promise<string>>> = {
  POST: async (url, operation) => (await exchangeJson(url, operation)).body,
  GET: async (url, operation) =>
    (
      await exchange(url, {
        method: 'GET',
        path: queryString(operation),
        headers: { 'apollo-require-preflight': 'yes' },
      })
    ).body,
  'server-sent events': async (url, operation) =>
    (await exchangeJson(url, operation, { accept: 'text/event-stream' })).body,
  multipart: async (url, operation) =>
    (await exchangeJson(url, operation, { accept: 'multipart/mixed;deferSpec=20220824' })).body,
  WebSocket: async (url, operation) => {
    await using peer = await Peer.ready(url);
    peer.send({ id: '1', type: 'subscribe', payload: operation });
    return JSON.stringify(await peer.next());
  },
};

async function overEveryTransport(gateway: InlineGateway, operation: Operation): Promise<string[]> {
  return Promise.all(Object.values(transports).map((send) => send(gateway.url, operation)));
}

describe('suggestions of names', () => {
  test.each<[string, Operation, string]>([
    ['an unknown field', { query: '{ product { nam } }' }, 'Did you mean \\"name\\"?'],
    [
      'a field of a union',
      { query: '{ anything { secretPrice } }' },
      'Did you mean to use an inline fragment on \\"Product\\"?',
    ],
    ['an unknown type', { query: '{ anything { ... on Produkt { name } } }' }, 'Did you mean \\"Product\\"?'],
    [
      'an unknown type of a variable',
      { query: 'query ($f: Filtre) { product(filter: $f) { name } }' },
      'Did you mean \\"Filter\\"?',
    ],
    [
      'an unknown argument',
      { query: '{ product { secretPrice(curency: "EUR") } }' },
      'Did you mean \\"currency\\"?',
    ],
    [
      'an unknown argument of a directive',
      { query: '{ product { name @include(iff: true) } }' },
      'Did you mean \\"if\\"?',
    ],
    [
      'an unknown enum value',
      { query: '{ product(size: SMAL) { name } }' },
      'Did you mean the enum value \\"SMALL\\"?',
    ],
    [
      'an enum value as text',
      { query: '{ product(size: "SMALL") { name } }' },
      'Did you mean the enum value \\"SMALL\\"?',
    ],
    [
      'an unknown input field',
      { query: '{ product(filter: { minimumPrise: 1 }) { name } }' },
      'Did you mean \\"minimumPrice\\"?',
    ],
    [
      'an unknown enum value in a default value',
      { query: 'query ($s: Size = SMAL) { product(size: $s) { name } }' },
      'Did you mean the enum value \\"SMALL\\"?',
    ],
    [
      'an unknown input field in a variable',
      {
        query: 'query ($f: Filter) { product(filter: $f) { name } }',
        variables: { f: { minimumPrise: 1 } },
      },
      'Did you mean \\"minimumPrice\\"?',
    ],
    [
      'an unknown enum value in a variable',
      { query: 'query ($f: Filter) { product(filter: $f) { name } }', variables: { f: { size: 'SMAL' } } },
      'Did you mean the enum value \\"SMALL\\"?',
    ],
    ['a missing selection set', { query: '{ product }' }, 'Did you mean \\"product { ... }\\"?'],
  ])('are in no response about %s, unless security.suggestions is on', async (_, operation, suggestion) => {
    // The second time, a valid text with invalid variables bypasses Apollo Server.
    for (let time = 0; time < 2; time++) {
      for (const text of await overEveryTransport(open, operation)) expect(text).toContain(suggestion);
      for (const text of await overEveryTransport(closed, operation)) {
        expect(text).toContain('"message"');
        expect(text).not.toContain('Did you mean');
      }
    }
  });

  test('leave the rest of the message as it is', async () => {
    const { body } = await closed.execute('{ product { nam } }');
    expect(body.errors).toEqual([
      expect.objectContaining({ message: 'Cannot query field "nam" on type "Product".' }),
    ]);
  });
});

describe('introspection without security.introspection', () => {
  test.each([
    '{ a: __schema { types { name } } }',
    '{ __type(name: "Product") { fields { name } } }',
    '{ ... { b: __type(name: "Product") { name } } }',
    'query { ...F } fragment F on Query { ... on Query { __schema { queryType { name } } } }',
    'query ($on: Boolean = false) { anything { __typename } __schema @include(if: $on) { description } }',
    '{ ... @defer { __schema { queryType { name } } } }',
  ])('is refused over every transport: %s', async (query) => {
    for (const text of await overEveryTransport(closed, { query })) {
      expect(text).toContain('INTROSPECTION_DISABLED');
      expect(text).not.toContain('"data"');
    }
  });

  test('still answers __typename', async () => {
    expect((await closed.execute('{ __typename product { __typename } }')).body).toEqual({
      data: { __typename: 'Query', product: null },
    });
  });
});

describe('errors of subgraphs', () => {
  test('have neither the message nor the name of the subgraph, unless the configuration shows them', async () => {
    for (const text of await overEveryTransport(open, { query: '{ failing }' })) {
      expect(text).toContain('db-7.internal');
      expect(text).toContain('"subgraph":"shop"');
    }
    for (const text of await overEveryTransport(closed, { query: '{ failing }' })) {
      expect(text).toContain('SUBGRAPH_ERROR');
      expect(text).not.toMatch(/db-7|"subgraph"/);
    }
  });
});

test('GraphiQL is not served by default', async () => {
  const page = await exchange(closed.url, { method: 'GET', headers: { accept: 'text/html' } });
  expect([page.status, page.body.includes('<html')]).toEqual([406, false]);
});
