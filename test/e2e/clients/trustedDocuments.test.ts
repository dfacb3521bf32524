import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { ApolloClient, CombinedGraphQLErrors, gql, HttpLink, InMemoryCache } from '@apollo/client/core';
import { createPersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client, createRequest, fetchExchange, type TypedDocumentNode } from '@urql/core';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createSocketClient, type SubscribePayload } from 'graphql-ws';
import { createOperationDescriptor, Environment, Network, RecordSource, Store } from 'relay-runtime';
import { WebSocket } from 'ws';
import { fetchWithDefer } from '../../../docs/examples/defer/relay.ts';
import { createTemporaryDirectory } from '../../harness/suiteResources.ts';
import { startTestGateway, type TestGateway } from '../../harness/testGateway.ts';
import productRequest from './__generated__/relayProductQuery.graphql.ts';

// The ids are not hashes: a client must send those of the manifest.
const name = 'query Name($id: ID!) {\n  product(id: $id) {\n    name\n    __typename\n  }\n}';
const apolloManifest = {
  format: 'apollo-persisted-query-manifest',
  version: 1,
  operations: [{ id: 'name-1', name: 'Name', type: 'query', body: name }],
};
const variables = { id: 'p1' };
const product = { name: 'Cast-Iron Skillet, 24 cm', __typename: 'Product' };
const notAllowed = 'PERSISTED_QUERY_NOT_ALLOWED';

let gateway: TestGateway;
let directory: string;

beforeAll(async () => {
  directory = createTemporaryDirectory();
  const [apollo, relay] = [join(directory, 'apollo.json'), join(directory, 'relay.json')];
  await writeFile(apollo, JSON.stringify(apolloManifest));
  await writeFile(relay, JSON.stringify({ 'relay-1': productRequest.params.text }));
  gateway = await startTestGateway({
    config: { security: { trustedDocuments: { mode: 'require', manifest: [apollo, relay] } } },
  });
});

afterAll(async () => {
  await gateway.close();
});

describe('a gateway that executes trusted documents only', () => {
  /** Apollo Client with the ids of a manifest, and what it sends. */
  function createApollo(useGETForHashedQueries: boolean) {
    const sent: string[] = [];
    const idOf: Readonly<Record<string, string>> = { Name: 'name-1' };
    const persisted = createPersistedQueryLink({
      useGETForHashedQueries,
      // As `generatePersistedQueryIdsFromManifest` does it.
      generateHash: ({ definitions: [operation] }) =>
        idOf[(operation?.kind === 'OperationDefinition' && operation.name?.value) || ''] ?? 'unknown',
    });
    const link = new HttpLink({
      uri: gateway.url,
      fetch: (input, init) => {
        sent.push(
          `${init?.method} ${'body' in (init ?? {}) ? Object.keys(JSON.parse(String(init?.body))) : ''}`,
        );
        return fetch(input, init);
      },
    });
    return { sent, client: new ApolloClient({ link: persisted.concat(link), cache: new InMemoryCache() }) };
  }

  test.each([false, true])('answers Apollo Client by id: with GET %s', async (isGet) => {
    const { client, sent } = createApollo(isGet);
    const query = gql('query Name($id: ID!) { product(id: $id) { name } }');
    const { data } = await client.query({ query, variables });
    expect(data).toEqual({ product });
    expect(sent).toEqual([isGet ? 'GET ' : 'POST operationName,variables,extensions']);
    client.stop();
  });

  test('refuses the text that Apollo Client sends after an unknown id', async () => {
    const { client, sent } = createApollo(false);
    const error = await client
      .query({ query: gql('query Stock { products { name } }') })
      .catch((reason: unknown) => reason);
    expect(CombinedGraphQLErrors.is(error) && error.errors[0]?.extensions?.code).toBe(notAllowed);
    expect(sent).toEqual([
      'POST operationName,variables,extensions',
      'POST operationName,variables,extensions,query',
    ]);
    client.stop();
  });

  test.each([false, true])(
    'answers urql by the documentId of a document without a text: with GET %s',
    async (isGet) => {
      // In development, urql wants the text too, which it does not send.
      process.env.NODE_ENV = 'production';
      const client = new Client({
        url: gateway.url,
        exchanges: [fetchExchange],
        preferGetMethod: isGet && 'force',
        fetchOptions: { headers: { 'apollo-require-preflight': 'yes' } },
      });
      const send = async (documentId: string) => {
        const document = { kind: 'Document', definitions: [], documentId } as unknown as TypedDocumentNode;
        return client.executeQuery(createRequest(document, variables)).toPromise();
      };
      expect((await send('name-1')).data).toEqual({ product });
      const { error } = await send('unknown');
      expect(error?.graphQLErrors[0]?.extensions.code).toBe('PERSISTED_QUERY_NOT_FOUND');
    },
  );

  test('answers Relay with the documented fetch function by doc_id', async () => {
    const persisted = { ...productRequest, params: { ...productRequest.params, id: 'relay-1', text: null } };
    const environment = new Environment({
      network: Network.create(fetchWithDefer(gateway.url)),
      store: new Store(new RecordSource()),
    });
    const operation = createOperationDescriptor(persisted, variables);
    await environment.execute({ operation }).toPromise();
    expect(environment.lookup(operation.fragment).data).toMatchObject({ product: { name: product.name } });
  });

  /** The payloads of a request by WebSocket and by server-sent events. */
  const streams: readonly [string, (payload: object) => Promise<unknown>][] = [
    [
      'graphql-ws',
      async (payload) => {
        const client = createSocketClient({
          url: gateway.url.replace('http', 'ws'),
          webSocketImpl: WebSocket,
          retryAttempts: 0,
        });
        const results: unknown[] = [];
        try {
          // The protocol requires a text.
          const request = { query: '', ...payload } as SubscribePayload;
          for await (const result of client.iterate(request)) results.push(result);
          return results;
        } catch (errors) {
          return errors;
        } finally {
          await client.dispose();
        }
      },
    ],
    [
      'graphql-sse',
      async (payload) => {
        const client = createSseClient({ url: gateway.url, retryAttempts: 0 });
        const results: unknown[] = [];
        for await (const result of client.iterate(payload as never)) results.push(result);
        client.dispose();
        return results;
      },
    ],
  ];

  test.each(streams)('answers %s by documentId and by hash', async (_, send) => {
    const byHash = { extensions: { persistedQuery: { version: 1, sha256Hash: 'name-1' } } };
    for (const named of [{ documentId: 'name-1' }, byHash]) {
      expect(await send({ ...named, variables })).toEqual([{ data: { product } }]);
    }
    expect(JSON.stringify(await send({ query: '{ __typename }' }))).toContain(notAllowed);
    expect(JSON.stringify(await send({ documentId: 'unknown' }))).toContain('PERSISTED_QUERY_NOT_FOUND');
  });
});
