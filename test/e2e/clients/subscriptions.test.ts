import { ApolloClient, gql, InMemoryCache } from '@apollo/client/core';
import { Defer20220824Handler, GraphQL17Alpha9Handler } from '@apollo/client/incremental';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { describe, expect, test } from '@jest/globals';
import { createClient as createSseClient, type Client as SseClient } from 'graphql-sse';
import { createClient as createSocketClient, type Client as SocketClient } from 'graphql-ws';
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
import {
  type SeenEvent,
  watchApolloHttp,
  watchApolloSocket,
  watchSocket,
  watchSse,
  watchUrql,
} from './watchSubscription.ts';

const query = 'subscription { greetings }';
const first = { data: { greetings: 'one' } };
const second = {
  data: { greetings: null },
  errors: [{ message: 'Not this one.', path: ['greetings'], extensions: { code: 'SUBGRAPH_ERROR' } }],
};
const third = { data: { greetings: 'three' } };
const gone = new GatewayError('SUBGRAPH_UNREACHABLE', 'Gone.');

describe.each([
  ['Apollo Client by multipart', watchApolloHttp],
  ['urql by server-sent events', watchUrql],
  ['graphql-sse', watchSse],
  ['Apollo Client by WebSocket', watchApolloSocket],
  ['graphql-ws', watchSocket],
])('%s', (_, watch) => {
  test('receives each event with its errors as it arrives, then the completion', async () => {
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome);
    const log = new ResultLog<SeenEvent>();
    watch(server.url, query, log);
    scripted.push(first);
    await log.first(1);
    scripted.push(third);
    await log.first(2);
    scripted.push(second);
    const errors = [expect.objectContaining(second.errors[0] as object)];
    const seen = [
      { ...first, errors: [] },
      { ...third, errors: [] },
      { data: second.data, errors },
    ];
    expect(await log.first(3)).toEqual(seen);
    scripted.push('end');
    // urql repeats the last event at the end.
    expect((await log.all()).slice(0, 3)).toEqual(seen);
  });

  test('receives the error that ends the subscription', async () => {
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome);
    const log = new ResultLog<SeenEvent>();
    watch(server.url, query, log);
    scripted.push(first);
    await log.first(1);
    scripted.push(gone);
    expect((await log.all())[1]?.errors).toMatchObject([{ message: expect.stringContaining('Gone.') }]);
  });

  test('ends the subscription at the gateway when it unsubscribes', async () => {
    const scripted = new ScriptedEvents();
    await using server = await startScriptedServer(() => scripted.outcome);
    const log = new ResultLog<SeenEvent>();
    const unsubscribe = watch(server.url, query, log);
    scripted.push(first);
    await log.first(1);
    unsubscribe();
    await scripted.returned;
  });
});

/** Clients that subscribe again at once, each time at the next of the addresses. */
const reconnecting: [string, (next: () => string) => SseClient | SocketClient][] = [
  ['graphql-sse', (next) => createSseClient({ url: next, retry: () => Promise.resolve() })],
  [
    'graphql-ws',
    (next) =>
      createSocketClient({
        url: () => next().replace('http', 'ws'),
        webSocketImpl: WebSocket,
        retryWait: () => Promise.resolve(),
      }),
  ],
];

test.each(reconnecting)('%s subscribes again by itself when the gateway shuts down', async (_, connect) => {
  const scripted = new ScriptedEvents();
  const server = await startScriptedServer(() => scripted.outcome);
  const other = new ScriptedEvents();
  await using next = await startScriptedServer(() => other.outcome);
  const addresses = [server.url, next.url];
  const client = connect(() => addresses.shift() ?? next.url);
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
