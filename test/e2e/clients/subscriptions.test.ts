import { ApolloClient, gql, HttpLink, InMemoryCache } from '@apollo/client/core';
import { describe, expect, test } from '@jest/globals';
import { Client, fetchExchange } from '@urql/core';
import { createClient as createSseClient } from 'graphql-sse';
import { GatewayError } from '../../../gateway/errors.ts';
import { ScriptedEvents, startScripted } from '../../unit/transport/scriptedServer.ts';
import { ResultLog } from './resultLog.ts';

const query = 'subscription { greetings }';
const first = { data: { greetings: 'one' } };
const second = {
  data: { greetings: null },
  errors: [{ message: 'Not this one.', path: ['greetings'], extensions: { code: 'SUBGRAPH_ERROR' } }],
};
const third = { data: { greetings: 'three' } };
const gone = new GatewayError('SUBGRAPH_UNREACHABLE', 'Gone.');

/** Subscribes and writes down what the application is told; the result unsubscribes. */
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

describe.each([
  ['Apollo Client by multipart', watchApollo],
  ['urql by server-sent events', watchUrql],
  ['graphql-sse', watchSse],
])('%s', (_, watch) => {
  test('has each event when it comes, with its errors, and the end', async () => {
    const scripted = new ScriptedEvents();
    await using server = await startScripted(() => scripted.outcome);
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
    // urql tells the last event again when it has seen the end.
    expect((await log.all()).slice(0, 3)).toEqual(seen);
  });

  test('has the error that the subscription ends with', async () => {
    const scripted = new ScriptedEvents();
    await using server = await startScripted(() => scripted.outcome);
    const log = new ResultLog<unknown>();
    watch(server.url, log);
    scripted.push(first);
    await log.first(1);
    scripted.push(gone);
    expect((await log.all())[1]).toMatchObject({ error: expect.stringContaining('Gone.') });
  });

  test('ends the work when it unsubscribes', async () => {
    const scripted = new ScriptedEvents();
    await using server = await startScripted(() => scripted.outcome);
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
  const server = await startScripted(() => scripted.outcome);
  const other = new ScriptedEvents();
  await using next = await startScripted(() => other.outcome);
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
