import { ApolloClient, CombinedGraphQLErrors, gql, HttpLink, InMemoryCache } from '@apollo/client/core';
import {
  Defer20220824Handler,
  GraphQL17Alpha2Handler,
  GraphQL17Alpha9Handler,
} from '@apollo/client/incremental';
import { describe, expect, test } from '@jest/globals';
import {
  primaryProduct,
  productQuery,
  productVariables,
  recommended,
  recommendedError,
  startGatedDemo,
} from '../../harness/gatedDemo.ts';
import { ResultLog } from './resultLog.ts';

type IncrementalHandler = NonNullable<ApolloClient.Options['incrementalHandler']>;

function createClient(url: string, incrementalHandler?: IncrementalHandler): ApolloClient {
  return new ApolloClient({
    link: new HttpLink({ uri: url }),
    cache: new InMemoryCache(),
    ...(incrementalHandler === undefined ? {} : { incrementalHandler }),
  });
}

/** The results that a watched query passes to its application, until the response is complete. */
function watch(client: ApolloClient, query: string): ResultLog<unknown> {
  const log = new ResultLog<unknown>();
  const observable = client.watchQuery({
    query: gql(query),
    variables: productVariables,
    errorPolicy: 'all',
    notifyOnNetworkStatusChange: true,
  });
  const subscription = observable.subscribe({
    next: ({ data, dataState, loading, error }) => {
      const errors = CombinedGraphQLErrors.is(error) ? error.errors : error;
      log.push({ data, dataState, loading, ...(errors === undefined ? {} : { errors }) });
      if (loading) return;
      log.end();
      subscription.unsubscribe();
      client.stop();
    },
    error: (error: unknown) => log.fail(error),
  });
  return log;
}

const typed = {
  fast: {
    __typename: 'Product',
    ...primaryProduct,
    price: { __typename: 'Money', ...primaryProduct.price },
  },
  recommended: recommended.map((product) => ({ __typename: 'Product', ...product })),
};

const nothingYet = { data: undefined, dataState: 'empty', loading: true };
const fastPart = { data: { product: typed.fast }, dataState: 'streaming', loading: true };

describe.each([
  ['Defer20220824Handler', () => new Defer20220824Handler()],
  ['GraphQL17Alpha2Handler', () => new GraphQL17Alpha2Handler()],
  // Under `exactOptionalPropertyTypes`, its declared type does not match the interface.
  ['GraphQL17Alpha9Handler', () => new GraphQL17Alpha9Handler() as IncrementalHandler],
] satisfies [string, () => IncrementalHandler][])('Apollo Client with %s', (_name, createHandler) => {
  test('gets the primary data while the deferred fragment is pending, and then the complete response', async () => {
    await using shop = await startGatedDemo();
    const log = watch(createClient(shop.url, createHandler()), productQuery);

    expect(await log.first(2)).toEqual([nothingYet, fastPart]);
    shop.release();
    expect(await log.all()).toEqual([
      nothingYet,
      fastPart,
      {
        data: { product: { ...typed.fast, recommended: typed.recommended } },
        dataState: 'complete',
        loading: false,
      },
    ]);
  });

  test('keeps the primary data when the deferred fragment fails, and gets the error', async () => {
    await using shop = await startGatedDemo({ isFailing: true });
    const log = watch(createClient(shop.url, createHandler()), productQuery);

    expect(await log.first(2)).toEqual([nothingYet, fastPart]);
    shop.release();
    expect(await log.all()).toEqual([
      nothingYet,
      fastPart,
      {
        data: { product: { ...typed.fast, recommended: null } },
        dataState: 'complete',
        loading: false,
        errors: [recommendedError],
      },
    ]);
  });
});

describe('Apollo Client without an incremental handler', () => {
  test('gets one complete response to an operation without @defer', async () => {
    await using shop = await startGatedDemo();
    shop.release();
    const log = watch(
      createClient(shop.url),
      productQuery.replace('... @defer(label: "recommendations")', '...'),
    );

    expect(await log.all()).toEqual([
      nothingYet,
      {
        data: { product: { ...typed.fast, recommended: typed.recommended } },
        dataState: 'complete',
        loading: false,
      },
    ]);
  });
});
