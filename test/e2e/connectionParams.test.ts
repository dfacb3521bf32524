import { expect, test } from '@jest/globals';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { startTestGateway } from '../harness/testGateway.ts';
import { startGraphqlWsUpstream } from '../harness/webSocketUpstream.ts';

const query = 'subscription { reviewAdded { body } }';

test('connection parameters of a client are forwarded unchanged to the subgraph, and clients with different ones share no subscription', async () => {
  await using upstream = await startGraphqlWsUpstream(() => true);
  await using gateway = await startTestGateway({
    config: {
      subgraphs: {
        reviews: {
          url: upstream.url,
          subscription: { protocol: 'graphql_ws', connectionParams: ['tenant', 'shop'] },
        },
      },
    },
  });
  const subscribe = async (connectionParams: Readonly<Record<string, unknown>>): Promise<void> => {
    const url = gateway.url.replace('http', 'ws');
    const client = createClient({ url, webSocketImpl: WebSocket, retryAttempts: 0, connectionParams });
    await expect(client.iterate({ query }).next()).rejects.toMatchObject([
      { extensions: { code: 'SUBGRAPH_ERROR' } },
    ]);
    await client.dispose();
  };
  const shop = { id: 7 };
  await subscribe({ tenant: 'a', shop, user: 'ada', headers: { tenant: 'c' } });
  await subscribe({ tenant: 'b' });
  await subscribe({});
  expect(upstream.initPayloads).toEqual([{ tenant: 'a', shop }, { tenant: 'b' }, undefined]);
});

test('connection parameters allowed for one subgraph are not forwarded to another', async () => {
  await using reviews = await startGraphqlWsUpstream(() => true);
  await using inventory = await startGraphqlWsUpstream(() => true);
  const named = (url: string, connectionParams: string[]) => ({
    url,
    subscription: { protocol: 'graphql_ws' as const, connectionParams },
  });
  await using gateway = await startTestGateway({
    config: {
      subgraphs: {
        reviews: named(reviews.url, ['tenant', 'both']),
        inventory: named(inventory.url, ['shop', 'both']),
      },
    },
  });
  const client = createClient({
    url: gateway.url.replace('http', 'ws'),
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: { tenant: 'a', shop: 'b', both: 'c', none: 'd' },
  });
  for (const subscription of [query, 'subscription { stockChanged { __typename } }']) {
    await expect(client.iterate({ query: subscription }).next()).rejects.toMatchObject([
      { extensions: { code: 'SUBGRAPH_ERROR' } },
    ]);
  }
  await client.dispose();
  expect([reviews.initPayloads, inventory.initPayloads]).toEqual([
    [{ tenant: 'a', both: 'c' }],
    [{ shop: 'b', both: 'c' }],
  ]);
});
