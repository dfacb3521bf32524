import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client/core';
import { Defer20220824Handler, GraphQL17Alpha9Handler } from '@apollo/client/incremental';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { describe, expect, test } from '@jest/globals';
import { Client, fetchExchange } from '@urql/core';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createSocketClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { GatewayError } from '../../../gateway/errors.ts';
import {
  primaryProduct,
  productQuery,
  productVariables,
  recommended,
  startGatedDemo,
} from '../../harness/gatedDemo.ts';
import { ScriptedEvents, startScriptedServer } from '../../harness/scriptedServer.ts';
import { ResultLog } from './resultLog.ts';

const query = 'subscription { greetings }';
const first = { data: { greetings: 'one' } };
const second = {
  data: { greetings: null },
  errors: [{ message: 'Not this one.', path: ['greetings'], extensions: { code: 'SUBGRAPH_ERROR' } }],
};
const third = { data: { greetings: 'three' } };
const gone = new GatewayError('SUBGRAPH_UNREACHABLE', 'Gone.');

/** Subscribes and logs every result that the application gets. Returns a function that unsubscribes. */
type Watch = (url: string, log: ResultLog<unknown>) => () => void;

const watchApollo: Watch = (url, log) => {
  const client = new ApolloClient({ link: new HttpLink({ uri: url }), cache: new InMemoryCache() });
  const subscription = client.subscribe({ query: gql(query), errorPolicy: 'all' }).subscribe({
    next: ({ data, error }) =>
      log.push(error === undefined ? { data } : { ...(data == null ? {} : { data }), error: error.message }),
    error: (error: unknown) => log.fail(error),
    complete: () => log.end(),
  });
  return () => subscription.unsubscribe();
};

const watchUrql: Watch = (url, log) => {
  const client = new Client({
    url,
    exchanges: [fetchExchange],
    preferGetMethod: false,
    fetchSubscriptions: true,
  });
  const { unsubscribe } = client.subscription(query, {}).subscribe(({ data, error, hasNext }) => {
    const messages = error?.graphQLErrors.map(({ message }) => message).join();
    if (error?.networkError !== undefined) return log.fail(error.networkError);
    log.push(messages === undefined ? { data } : { ...(data == null ? {} : { data }), error: messages });
    if (!hasNext) log.end();
  });
  return unsubscribe;
};

const watchSse: Watch = (url, log) => {
  const client = createSseClient({ url, retryAttempts: 0 });
  const dispose = client.subscribe(
    { query },
    {
      next: ({ data, errors }) => {
        const error = errors?.map(({ message }) => message).join();
        log.push(error === undefined ? { data } : { ...(data == null ? {} : { data }), error });
      },
      error: (error) => log.fail(error),
      complete: () => log.end(),
    },
  );
  return () => {
    dispose();
    client.dispose();
  };
};

const watchApolloSocket: Watch = (url, log) => {
  const socket = createSocketClient({
    url: url.replace('http', 'ws'),
    webSocketImpl: WebSocket,
    retryAttempts: 0,
  });
  const client = new ApolloClient({ link: new GraphQLWsLink(socket), cache: new InMemoryCache() });
  const subscription = client.subscribe({ query: gql(query), errorPolicy: 'all' }).subscribe({
    next: ({ data, error }) =>
      log.push(error === undefined ? { data } : { ...(data == null ? {} : { data }), error: error.message }),
    error: (error: unknown) => log.fail(error),
    complete: () => {
      log.end();
      void socket.dispose();
    },
  });
  return () => {
    subscription.unsubscribe();
    void socket.dispose();
  };
};

const watchSocket: Watch = (url, log) => {
  const client = createSocketClient({
    url: url.replace('http', 'ws'),
    webSocketImpl: WebSocket,
    retryAttempts: 0,
  });
  const dispose = client.subscribe<Record<string, unknown>>(
    { query },
    {
      next: ({ data, errors }) => {
        const error = errors?.map(({ message }) => message).join();
        log.push(error === undefined ? { data } : { ...(data == null ? {} : { data }), error });
      },
      error: (error) => {
        // An `error` message of the protocol ends a subscription; the application gets its errors.
        log.push({ error: (error as readonly { message: string }[]).map(({ message }) => message).join() });
        log.end();
      },
      complete: () => log.end(),
    },
  );
  return () => {
    dispose();
    void client.dispose();
  };
};

describe.each([
  ['Apollo Client by multipart', watchApollo],
  ['urql by server-sent events', watchUrql],
  ['graphql-sse', watchSse],
  ['Apollo Client by WebSocket', watchApolloSocket],
  ['graphql-ws', watchSocket],
])('%s', (_, watch) => {
  test('receives each event with its errors as it arrives, then the completion', async () => {
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome);
    const log = new ResultLog<unknown>();
    watch(server.url, log);
    scripted.push(first);
    await log.first(1);
    scripted.push(third);
    await log.first(2);
    scripted.push(second);
    const seen = [first, third, { data: second.data, error: 'Not this one.' }];
    expect(await log.first(3)).toEqual(seen);
    scripted.push('end');
    // urql repeats the last event at the end.
    expect((await log.all()).slice(0, 3)).toEqual(seen);
  });

  test('receives the error that ends the subscription', async () => {
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome);
    const log = new ResultLog<unknown>();
    watch(server.url, log);
    scripted.push(first);
    await log.first(1);
    scripted.push(gone);
    expect((await log.all())[1]).toMatchObject({ error: expect.stringContaining('Gone.') });
  });

  test('ends the subscription at the gateway when it unsubscribes', async () => {
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome);
    const log = new ResultLog<unknown>();
    const unsubscribe = watch(server.url, log);
    scripted.push(first);
    await log.first(1);
    unsubscribe();
    await scripted.returned;
  });
});

test('graphql-sse subscribes again by itself when the gateway shuts down', async () => {
  const scripted = new ScriptedEvents();
  const server = await startScriptedServer(() => scripted.outcome);
  const other = new ScriptedEvents();
  await using next = await startScriptedServer(() => other.outcome);
  const addresses = [server.url, next.url];
  const client = createSseClient({
    url: () => addresses.shift() ?? next.url,
    retry: () => Promise.resolve(),
  });
  const log = new ResultLog<unknown>();
  client.subscribe<Record<string, unknown>>(
    { query },
    { next: ({ data }) => log.push({ data }), error: (error) => log.fail(error), complete: () => log.end() },
  );
  scripted.push(first);
  await log.first(1);
  await server.close();
  other.push(third);
  other.push('end');
  expect(await log.all()).toEqual([first, third]);
  client.dispose();
});

test('graphql-ws subscribes again by itself when the gateway shuts down', async () => {
  const scripted = new ScriptedEvents();
  const server = await startScriptedServer(() => scripted.outcome);
  const other = new ScriptedEvents();
  await using next = await startScriptedServer(() => other.outcome);
  const addresses = [server.url, next.url];
  const client = createSocketClient({
    url: () => (addresses.shift() ?? next.url).replace('http', 'ws'),
    webSocketImpl: WebSocket,
    retryWait: () => Promise.resolve(),
  });
  const log = new ResultLog<unknown>();
  client.subscribe<Record<string, unknown>>(
    { query },
    { next: ({ data }) => log.push({ data }), error: (error) => log.fail(error), complete: () => log.end() },
  );
  scripted.push(first);
  await log.first(1);
  await server.close();
  other.push(third);
  other.push('end');
  expect(await log.all()).toEqual([first, third]);
  await client.dispose();
});

test.each([
  ['Defer20220824Handler', () => new Defer20220824Handler(), undefined],
  [
    'GraphQL17Alpha9Handler',
    () => new GraphQL17Alpha9Handler() as NonNullable<ApolloClient.Options['incrementalHandler']>,
    { accept: 'multipart/mixed;incrementalSpec=v0.2' },
  ],
])(
  'Apollo Client with %s gets deferred fragments over a WebSocket',
  async (_, createHandler, connectionParams) => {
    await using shop = await startGatedDemo();
    const socket = createSocketClient({
      url: shop.url.replace('http', 'ws'),
      webSocketImpl: WebSocket,
      ...(connectionParams && { connectionParams }),
    });
    const client = new ApolloClient({
      link: new GraphQLWsLink(socket),
      cache: new InMemoryCache(),
      incrementalHandler: createHandler(),
    });
    const log = new ResultLog<unknown>();
    const subscription = client
      .watchQuery({ query: gql(productQuery), variables: productVariables })
      .subscribe({
        next: ({ data, dataState }) => {
          if (dataState === 'streaming' || dataState === 'complete') log.push({ data, dataState });
        },
        error: (error: unknown) => log.fail(error),
      });
    expect(await log.first(1)).toMatchObject([{ data: { product: primaryProduct }, dataState: 'streaming' }]);
    shop.release();
    expect((await log.first(2))[1]).toMatchObject({
      data: { product: { ...primaryProduct, recommended } },
      dataState: 'complete',
    });
    subscription.unsubscribe();
    client.stop();
    await socket.dispose();
  },
);
