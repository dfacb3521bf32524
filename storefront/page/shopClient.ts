import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { Defer20220824Handler } from '@apollo/client/incremental';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { OperationTypeNode } from 'graphql';
import { createClient } from 'graphql-ws';
import { connectionPages } from './connectionPages.ts';
import { enrichmentLink } from './enrichmentLink.ts';
import { payloadLogLink } from './payloadLog.ts';

/** Creates the page's Apollo Client for a GraphQL route of the page's own origin. Without an incremental handler it would
 *  refuse every `@defer`. */
export function createShopClient(path: string): ApolloClient {
  const enrichments = enrichmentLink((token) => `/enrichments/${encodeURIComponent(token)}`);
  // The log is closest to Apollo Client, so both see each response and each enrichment at the same time.
  const http = ApolloLink.from([payloadLogLink, enrichments, new HttpLink({ uri: path })]);
  const socketUrl = new URL(path, window.location.href);
  socketUrl.protocol = socketUrl.protocol === 'https:' ? 'wss:' : 'ws:';
  // A WebSocket, because a browser opens only six HTTP/1.1 connections to one host, over all tabs.
  const socket = new GraphQLWsLink(createClient({ url: socketUrl.href, retryAttempts: 0 }));
  return new ApolloClient({
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      socket,
      http,
    ),
    cache: new InMemoryCache({
      typePolicies: { Query: { fields: { catalog: connectionPages(['filter', 'sort']) } } },
    }),
    incrementalHandler: new Defer20220824Handler(),
    clientAwareness: { name: 'tributary-storefront' },
  });
}
