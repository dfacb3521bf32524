import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readDemoOperations } from '../harness/readDemoOperations.ts';
import { startTestGateway, type TestGateway } from '../harness/testGateway.ts';

// A request with a validated operation bypasses Apollo Server, which clients must not notice: the first response to each
// operation is Apollo Server's, the second one is not.
let gateway: TestGateway;
let withPlugin: TestGateway;
const seen: string[] = [];

beforeAll(async () => {
  gateway = await startTestGateway({ config: { security: { introspection: true } } });
  withPlugin = await startTestGateway({
    config: { security: { introspection: true } },
    dependencies: {
      plugins: [
        {
          requestDidStart: async ({ request }) => {
            seen.push(request.operationName ?? '');
          },
        },
      ],
    },
  });
});

afterAll(async () => {
  await gateway.close();
  await withPlugin.close();
});

async function ask(body: unknown, accept: string): Promise<unknown> {
  const response = await fetch(gateway.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept, 'x-request-id': 'known' },
    body: JSON.stringify(body),
  });
  const headers = [...response.headers].filter(([name]) => name !== 'date');
  return { status: response.status, headers, body: await response.text() };
}

const queries = readDemoOperations().filter(({ kind }) => kind === 'query');

describe('an operation that is sent again', () => {
  test.each(queries.map((operation) => [operation.name, operation] as const))(
    'gets a byte-identical response: %s',
    async (_, { source, variables }) => {
      const accept = 'application/graphql-response+json, application/json;q=0.9';
      const first = await ask({ query: source, variables }, accept);
      expect(await ask({ query: source, variables }, accept)).toEqual(first);
    },
  );

  test.each([
    ['application/json', '{ product(id: "p1") { name } }', undefined],
    ['*/*', '{ product(id: "p1") { id } }', undefined],
    ['multipart/mixed', '{ product(id: "p1") { upc } }', undefined],
    ['multipart/mixed;deferSpec=20220824', '{ product(id: "p1") { ... @defer { name } } }', undefined],
    ['multipart/mixed;incrementalSpec=v0.2', '{ product(id: "p1") { ... @defer { name } } }', undefined],
    ['application/json', 'query V($id: ID!) { product(id: $id) { name } }', {}],
    ['application/json', 'query V($id: ID!) { product(id: $id) { name } }', { id: { no: 'text' } }],
    ['application/json', 'subscription { reviewAdded { id } }', undefined],
  ])('gets a byte-identical response with accept %s: %s %j', async (accept, query, variables) => {
    const first = await ask({ query, variables }, accept);
    expect(await ask({ query, variables }, accept)).toEqual(first);
  });

  test('is passed to every plugin again when there are plugins', async () => {
    const body = JSON.stringify({ query: 'query Again { __typename }', operationName: 'Again' });
    const headers = { 'content-type': 'application/json' };
    for (let i = 0; i < 3; i++) await (await fetch(withPlugin.url, { method: 'POST', headers, body })).text();
    expect(seen).toEqual(['Again', 'Again', 'Again']);
  });
});
