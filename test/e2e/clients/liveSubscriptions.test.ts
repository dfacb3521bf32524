import { createFetchMultipartSubscription } from '@apollo/client/utilities/subscriptions/relay';
import { expect, test } from '@jest/globals';
import {
  Environment,
  type GraphQLResponse,
  Network,
  Observable,
  RecordSource,
  type RequestParameters,
  requestSubscription,
  Store,
  type Variables,
} from 'relay-runtime';
import { postJson } from '../../harness/postJson.ts';
import { startTestGateway, subscribed, type TestGateway } from '../../harness/testGateway.ts';
import reviewAddedRequest from './__generated__/relayReviewAddedSubscription.graphql.ts';
import { ResultLog } from './resultLog.ts';
import {
  connect,
  type SeenEvent,
  type Watch,
  watchApolloHttp,
  watchApolloSocket,
  watchSocket,
  watchSse,
  watchUrql,
} from './watchSubscription.ts';

/** `relayReviewAdded.ts` has the same operation for Relay's compiler. */
const query = 'subscription { reviewAdded { body product { name stock { total } } } }';

type RelaySubscribe = (request: RequestParameters, variables: Variables) => Observable<GraphQLResponse>;

const watchRelayHttp: Watch = (url, _query, log) => watchRelay(createFetchMultipartSubscription(url), log);

const watchRelaySocket: Watch = (url, _query, log) => {
  const client = connect(url);
  return watchRelay(
    ({ name, text }, variables) =>
      Observable.create((sink) =>
        client.subscribe(
          { operationName: name, query: text ?? '', variables },
          {
            next: (result) => sink.next(result as GraphQLResponse),
            error: (error) => sink.error(error as Error),
            complete: () => sink.complete(),
          },
        ),
      ),
    log,
  );
};

/** Relay passes only the data of an event to its application; the errors are read on their way to the store. */
function watchRelay(subscribe: RelaySubscribe, log: ResultLog<SeenEvent>): () => void {
  let errors: readonly unknown[] = [];
  const environment = new Environment({
    network: Network.create(
      () => {
        throw new Error('The test sends only subscriptions.');
      },
      (request, variables) =>
        subscribe(request, variables).do({
          next: (response) => {
            errors = 'errors' in response ? (response.errors ?? []) : [];
          },
        }),
    ),
    store: new Store(new RecordSource()),
  });
  const { dispose } = requestSubscription(environment, {
    subscription: reviewAddedRequest,
    variables: {},
    onNext: (data) => log.push({ data, errors }),
    onError: (error) => log.fail(error),
    onCompleted: () => log.end(),
  });
  return dispose;
}

async function addReview({ url }: TestGateway, body: string): Promise<void> {
  const response = await postJson(url, {
    query: `mutation { addReview(input: { productId: "p77", authorId: "a117", rating: 4, body: "${body}" }) { review { body } } }`,
  });
  expect(await response.json()).toEqual({ data: { addReview: { review: { body } } } });
}

/** An event as the clients see it, without the `__typename`s and ids that some of them add. */
function event(body: string, stock: object | null): object {
  return { reviewAdded: { body, product: { name: 'Hammock Canopy, 2P', stock } } };
}

const stockError = {
  message: expect.not.stringContaining('Injected'),
  path: ['reviewAdded', 'product', 'stock'],
  extensions: { code: 'SUBGRAPH_ERROR' },
};

test.each<{ name: string; watch: Watch; keepsErrors?: true }>([
  { name: 'Apollo Client by multipart', watch: watchApolloHttp },
  { name: 'Apollo Client by WebSocket', watch: watchApolloSocket },
  // urql repeats an event's errors with every later event without errors.
  { name: 'urql by server-sent events', watch: watchUrql, keepsErrors: true },
  { name: 'graphql-sse', watch: watchSse },
  { name: 'graphql-ws', watch: watchSocket },
  { name: 'Relay by multipart', watch: watchRelayHttp },
  { name: 'Relay by WebSocket', watch: watchRelaySocket },
])(
  '$name gets events with fields of three subgraphs in order, continues after a failed field, and leaves no subscription behind',
  async ({ watch, keepsErrors = false }) => {
    await using gateway = await startTestGateway({
      config: { subgraphs: { all: { subscription: { path: '/ws' } } } },
    });
    const { faults } = gateway.subgraphs.inventory;
    const log = new ResultLog<SeenEvent>();
    const unsubscribe = watch(gateway.url, query, log);
    await subscribed(gateway, 1);

    await addReview(gateway, 'one');
    await addReview(gateway, 'two');
    await log.first(2);
    faults.replace({ targets: { 'Product.stock': { errorRate: 1 } } });
    await addReview(gateway, 'three');
    await log.first(3);
    faults.replace({ targets: {} });
    await addReview(gateway, 'four');
    await log.first(4);

    unsubscribe();
    await subscribed(gateway, 0);
    log.end();
    expect(await log.all()).toMatchObject([
      { data: event('one', { total: 0 }), errors: [] },
      { data: event('two', { total: 0 }), errors: [] },
      { data: event('three', null), errors: [stockError] },
      { data: event('four', { total: 0 }), errors: keepsErrors ? [stockError] : [] },
    ]);
  },
);
