import { describe, expect, test } from '@jest/globals';
import { postJson } from '../harness/postJson.ts';
import { readDemoOperations } from '../harness/readDemoOperations.ts';
import { startScriptedSubgraph } from '../harness/scriptedSubgraph.ts';
import { disposeAfterSuite } from '../harness/suiteResources.ts';
import { startTestGateway } from '../harness/testGateway.ts';

// A plain request for an operation that was validated before bypasses Apollo Server, and clients must not notice: the first
// response of each operation comes from Apollo Server, the second one does not.
const namesSeenByPlugin: string[] = [];

const gateway = disposeAfterSuite(await startTestGateway({ config: { security: { introspection: true } } }));
const gatewayWithPlugin = await startTestGateway({
  config: { security: { introspection: true } },
  dependencies: {
    plugins: [
      {
        requestDidStart: async ({ request }) => {
          namesSeenByPlugin.push(request.operationName ?? '');
        },
      },
    ],
  },
});
disposeAfterSuite(gatewayWithPlugin);

async function send(body: unknown, accept: string, url = gateway.url): Promise<unknown> {
  const response = await postJson(url, body, { accept, 'x-request-id': 'known' });
  const headers = [...response.headers].filter(([name]) => name !== 'date');
  return { status: response.status, headers, body: await response.text() };
}

const queries = readDemoOperations().filter(({ kind }) => kind === 'query');

describe('an operation that is sent again', () => {
  test.each(queries.map((operation) => [operation.name, operation] as const))(
    'gets the same response to the byte: %s',
    async (_, { source, variables }) => {
      const accept = 'application/graphql-response+json, application/json;q=0.9';
      const first = await send({ query: source, variables }, accept);
      expect(await send({ query: source, variables }, accept)).toEqual(first);
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
  ])('gets the same response to the byte with accept %s: %s %j', async (accept, query, variables) => {
    const first = await send({ query, variables }, accept);
    expect(await send({ query, variables }, accept)).toEqual(first);
  });

  test.each([
    [{ query: '{ product(id: "p1") { name } }' }],
    [{ query: 'query V($id: ID!) { product(id: $id) { price { amount } } }', variables: '{"id":"p1"}' }],
    [{ query: 'query V($id: ID!) { product(id: $id) { price { amount } } }', variables: '5' }],
    [
      {
        query: 'mutation { addReview(input: { productId: "p1", rating: 5, body: "Good." }) { __typename } }',
      },
    ],
    [{ query: '{ product(id: "p1") { name } }', operationName: 'None' }],
  ])('gets the same response to the byte by GET: %j', async (parameters) => {
    const get = async () => {
      const response = await fetch(`${gateway.url}?${new URLSearchParams(parameters)}`, {
        headers: { accept: 'application/json', 'apollo-require-preflight': 'yes', 'x-request-id': 'known' },
      });
      const headers = [...response.headers].filter(([name]) => name !== 'date');
      return { status: response.status, headers, body: await response.text() };
    };
    const first = await get();
    expect(await get()).toEqual(first);
  });

  test('gets the same error when a subgraph refuses the request, with the HTTP status of the subgraph', async () => {
    await using subgraph = await startScriptedSubgraph();
    subgraph.setDefaultScript(({ respond }) => respond({ status: 403, body: 'forbidden' }));
    await using refused = await startTestGateway({
      config: { subgraphs: { products: { url: subgraph.url } } },
    });
    const query = '{ product(id: "p1") { name } }';
    const first = await send({ query }, 'application/json', refused.url);
    expect(first).toMatchObject({ body: expect.stringContaining('"http":{"status":403}') });
    expect(await send({ query }, 'application/json', refused.url)).toEqual(first);
  });

  test('passes every plugin again if there are plugins', async () => {
    const body = JSON.stringify({ query: 'query Again { __typename }', operationName: 'Again' });
    const headers = { 'content-type': 'application/json' };
    for (let i = 0; i < 3; i++)
      await (await fetch(gatewayWithPlugin.url, { method: 'POST', headers, body })).text();
    expect(namesSeenByPlugin).toEqual(['Again', 'Again', 'Again']);
  });
});
