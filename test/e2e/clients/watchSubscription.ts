import {
  ApolloClient,
  CombinedGraphQLErrors,
  CombinedProtocolErrors,
  gql,
  HttpLink,
  InMemoryCache,
} from '@apollo/client/core';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { Client, fetchExchange } from '@urql/core';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient, type Client as SocketClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { ResultLog } from './resultLog.ts';

/** One event as the client passes it to its application. */
export interface SeenEvent {
  readonly data: unknown;
  readonly errors: readonly unknown[];
}

/** Subscribes and logs every result that the application gets. Returns a function that unsubscribes. */
export type Watch = (url: string, query: string, log: ResultLog<SeenEvent>) => () => void;

const watchApollo = (client: ApolloClient, query: string, log: ResultLog<SeenEvent>): (() => void) => {
  const subscription = client.subscribe({ query: gql(query), errorPolicy: 'all' }).subscribe({
    next: ({ data, error }) => {
      if (error === undefined) log.push({ data, errors: [] });
      // Protocol errors end a subscription over multipart.
      else if (CombinedGraphQLErrors.is(error) || CombinedProtocolErrors.is(error))
        log.push({ data, errors: error.errors });
      else log.fail(error);
    },
    error: (error: unknown) => log.fail(error),
    complete: () => log.end(),
  });
  return () => subscription.unsubscribe();
};

export const watchApolloHttp: Watch = (url, query, log) =>
  watchApollo(new ApolloClient({ link: new HttpLink({ uri: url }), cache: new InMemoryCache() }), query, log);

export const watchApolloSocket: Watch = (url, query, log) =>
  watchApollo(
    new ApolloClient({ link: new GraphQLWsLink(connect(url)), cache: new InMemoryCache() }),
    query,
    log,
  );

export const watchUrql: Watch = (url, query, log) => {
  const client = new Client({
    url,
    exchanges: [fetchExchange],
    preferGetMethod: false,
    fetchSubscriptions: true,
  });
  const { unsubscribe } = client.subscription(query, {}).subscribe(({ data, error, hasNext }) => {
    if (error?.networkError !== undefined) return log.fail(error.networkError);
    const errors = error?.graphQLErrors.map(({ message, path, extensions }) => ({
      message,
      path,
      extensions,
    }));
    log.push({ data, errors: errors ?? [] });
    if (!hasNext) log.end();
  });
  return unsubscribe;
};

export const watchSse: Watch = (url, query, log) =>
  createSseClient({ url, retryAttempts: 0 }).subscribe(
    { query },
    {
      next: ({ data, errors = [] }) => log.push({ data, errors }),
      error: (error) => log.fail(error),
      complete: () => log.end(),
    },
  );

export const watchSocket: Watch = (url, query, log) =>
  connect(url).subscribe(
    { query },
    {
      next: ({ data, errors = [] }) => log.push({ data, errors }),
      error: (error) => {
        // An `error` message of the protocol ends a subscription; the application gets its errors.
        if (!Array.isArray(error)) return log.fail(error);
        log.push({ data: undefined, errors: error });
        log.end();
      },
      complete: () => log.end(),
    },
  );

/** A client that closes its connection with its last subscription. */
export function connect(url: string): SocketClient {
  return createClient({ url: url.replace('http', 'ws'), webSocketImpl: WebSocket, retryAttempts: 0 });
}
