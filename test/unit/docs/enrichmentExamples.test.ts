import { ApolloClient, ApolloLink, gql, InMemoryCache } from '@apollo/client/core';
import { Defer20220824Handler } from '@apollo/client/incremental';
import { relayStylePagination } from '@apollo/client/utilities';
import { afterEach, describe, expect, test } from '@jest/globals';
import { Client, cacheExchange, fetchExchange, type OperationResult } from '@urql/core';
import {
  createOperationDescriptor,
  Environment,
  type GraphQLResponse,
  Network,
  RecordSource,
  Observable as RelayObservable,
  Store,
} from 'relay-runtime';
import { Observable, type Observer } from 'rxjs';
import { enrichmentLink } from '../../../docs/examples/enrichments/apollo.ts';
import { withEnrichmentUpdates } from '../../../docs/examples/enrichments/relay.ts';
import { enrichmentExchange } from '../../../docs/examples/enrichments/urql.ts';
import enrichedProductRequest from '../../e2e/clients/__generated__/relayEnrichedProductQuery.graphql.ts';

type Result = ApolloLink.Result;

/** An operation that the client has sent; the test answers it. */
interface Sent {
  readonly operation: ApolloLink.Operation;
  readonly answer: Observer<Result>;
  isClosed: boolean;
}

/** Apollo Client with the documented link, and all operations that it sends. */
class TestClient {
  readonly sent: Sent[] = [];
  readonly client: ApolloClient = new ApolloClient({
    link: ApolloLink.from([
      enrichmentLink(() => this.client),
      new ApolloLink(
        (operation) =>
          new Observable<Result>((answer) => {
            const sent: Sent = { operation, answer, isClosed: false };
            this.sent.push(sent);
            return () => {
              sent.isClosed = true;
            };
          }),
      ),
    ]),
    cache: new InMemoryCache({
      typePolicies: { Query: { fields: { catalog: relayStylePagination() } } },
    }),
    incrementalHandler: new Defer20220824Handler(),
  });

  /** The newest operation with this name. */
  named(name: string): Sent {
    const sent = this.sent.findLast(({ operation }) => operation.operationName === name);
    if (sent === undefined) throw new Error(`The client has not sent ${name}.`);
    return sent;
  }

  count(name: string): number {
    return this.sent.filter(({ operation }) => operation.operationName === name).length;
  }

  /** Answers the newest operation with this name. `pending`: with a token of this name. */
  answer(name: string, data: object, token?: string): void {
    const extensions = { tributary: { enrichment: { token, pending: [] } } };
    const { answer } = this.named(name);
    answer.next({ data, ...(token === undefined ? {} : { extensions }) } as Result);
    answer.complete();
  }

  update(token: string, path: readonly (string | number)[], data: unknown, hasNext = false): void {
    const { answer } = this.updatesOf(token);
    const update = { __typename: 'EnrichmentUpdate', path, data, errors: null, hasNext };
    answer.next({ data: { enrichment: update } });
    if (!hasNext) answer.complete();
  }

  updatesOf(token: string): Sent {
    const sent = this.sent.findLast(({ operation }) => operation.variables.token === token);
    if (sent === undefined) throw new Error(`The client has not subscribed to ${token}.`);
    return sent;
  }
}

const advice = (text: string) => ({ __typename: 'Advice', text });
const product = (id: string, text?: string) => ({
  __typename: 'Product',
  id,
  advice: text === undefined ? null : advice(text),
});

let tested: TestClient;

const expired = { errors: [{ message: 'Expired.', extensions: { code: 'ENRICHMENT_EXPIRED' } }] };

/** Resolves when everything that is ready has been delivered. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('Apollo Client with the documented link', () => {
  afterEach(() => tested.client.stop());

  const query = gql`query Products { products { id ...Advised } } fragment Advised on Product { advice { text } }`;
  const read = () => tested.client.readQuery({ query });

  test('writes an update to its own object when a newer response has another order', async () => {
    tested = new TestClient();
    const watched = tested.client.watchQuery({ query });
    const subscription = watched.subscribe(() => {});
    tested.answer('Products', { products: [product('1'), product('2')] }, 'first');
    await settle();
    const refetched = watched.refetch();
    tested.answer('Products', { products: [product('2'), product('1')] });
    await refetched;
    tested.update('first', ['products', 0, 'advice'], advice('about 1'));
    expect(read()).toEqual({ products: [product('2'), product('1', 'about 1')] });
    subscription.unsubscribe();
  });

  test('writes an update of a further page to the object of that page', async () => {
    tested = new TestClient();
    const pages = gql`query Catalog($after: String) {
      catalog(after: $after) { edges { cursor node { id advice { text } } } pageInfo { endCursor hasNextPage } }
    }`;
    const page = (id: string, hasNextPage: boolean) => ({
      catalog: {
        __typename: 'Catalog',
        edges: [{ __typename: 'Edge', cursor: id, node: product(id) }],
        pageInfo: { __typename: 'PageInfo', endCursor: id, hasNextPage },
      },
    });
    const watched = tested.client.watchQuery({ query: pages });
    const subscription = watched.subscribe(() => {});
    tested.answer('Catalog', page('1', true));
    await settle();
    const more = watched.fetchMore({ variables: { after: '1' } });
    tested.answer('Catalog', page('2', false), 'second');
    await more;
    tested.update('second', ['catalog', 'edges', 0, 'node', 'advice'], advice('about 2'));
    const nodes = (tested.client.readQuery({ query: pages }) as ReturnType<typeof page>).catalog.edges.map(
      ({ node }) => node,
    );
    expect(nodes).toEqual([product('1'), product('2', 'about 2')]);
    subscription.unsubscribe();
  });

  test('sends the operation again when an update is for an element of a list that has got further pages', async () => {
    tested = new TestClient();
    const pages = gql`query Catalog($after: String) {
      catalog(after: $after) { edges { cursor node { id } } pageInfo { endCursor hasNextPage } }
    }`;
    const page = (cursor: string, id: string | null) => ({
      catalog: {
        __typename: 'Catalog',
        edges: [{ __typename: 'Edge', cursor, node: id === null ? null : { __typename: 'Product', id } }],
        pageInfo: { __typename: 'PageInfo', endCursor: cursor, hasNextPage: true },
      },
    });
    const watched = tested.client.watchQuery({ query: pages });
    const subscription = watched.subscribe(() => {});
    tested.answer('Catalog', page('a', '1'));
    await settle();
    const more = watched.fetchMore({ variables: { after: 'a' } });
    tested.answer('Catalog', page('b', null), 'second');
    await more;
    tested.update('second', ['catalog', 'edges', 0, 'node'], { __typename: 'Product', id: '2' });
    expect(tested.named('Catalog').operation.variables).toEqual({ after: 'a' });
    tested.answer('Catalog', page('b', '2'));
    await settle();
    const { catalog } = tested.client.readQuery({ query: pages }) as ReturnType<typeof page>;
    expect(catalog.edges.map(({ node }) => node?.id)).toEqual(['1', '2']);
    expect(tested.count('Catalog')).toBe(3);
    subscription.unsubscribe();
  });

  test('leaves a newer value unchanged', async () => {
    tested = new TestClient();
    const watched = tested.client.watchQuery({ query });
    const subscription = watched.subscribe(() => {});
    tested.answer('Products', { products: [product('1')] }, 'first');
    await settle();
    const refetched = watched.refetch();
    tested.answer('Products', { products: [product('1', 'newer')] });
    await refetched;
    tested.update('first', ['products', 0, 'advice'], advice('older'));
    expect(read()).toEqual({ products: [product('1', 'newer')] });
    subscription.unsubscribe();
  });

  test('writes an object that was pending as a whole, and one without an identity', async () => {
    tested = new TestClient();
    const whole = gql`query Whole { first: product(id: "1") { id advice { text } } shop { best { advice { text } } } }`;
    const promise = tested.client.query({ query: whole });
    const shop = { __typename: 'Shop', best: { __typename: 'Best', advice: null } };
    tested.answer('Whole', { first: null, shop }, 'first');
    await promise;
    tested.update('first', ['first'], product('1', 'about 1'), true);
    tested.update('first', ['shop', 'best', 'advice'], advice('buy'));
    expect(tested.client.readQuery({ query: whole })).toEqual({
      first: product('1', 'about 1'),
      shop: { __typename: 'Shop', best: { __typename: 'Best', advice: advice('buy') } },
    });
  });

  test('subscribes once to the token of a response with @defer, and writes before the deferred fields arrive', async () => {
    tested = new TestClient();
    const deferring = gql`query Deferring { product { id advice { text } ... @defer { name } } }`;
    const results: unknown[] = [];
    const subscription = tested.client
      .watchQuery({ query: deferring })
      .subscribe(({ data }) => results.push(data));
    const extensions = { tributary: { enrichment: { token: 'first', pending: [] } } };
    const { answer } = tested.named('Deferring');
    answer.next({ data: { product: product('1') }, extensions, hasNext: true } as Result);
    await settle();
    tested.update('first', ['product', 'advice'], advice('about 1'));
    await settle();
    const incremental = [{ path: ['product'], data: { name: 'Pan' } }];
    answer.next({ incremental, extensions, hasNext: false } as Result);
    answer.complete();
    await settle();
    expect(results.at(-1)).toEqual({ product: { ...product('1', 'about 1'), name: 'Pan' } });
    expect(tested.count('Enrichment')).toBe(1);
    subscription.unsubscribe();
  });

  test('sends the operation again, once, when the updates end early', async () => {
    tested = new TestClient();
    const headers = { authorization: 'Bearer a' };
    const promise = tested.client.query({ query, context: { headers } });
    tested.answer('Products', { products: [product('1')] }, 'first');
    await promise;
    expect(tested.updatesOf('first').operation.getContext().headers).toEqual(headers);
    tested.updatesOf('first').answer.error(new Error('The connection is lost.'));
    expect(tested.count('Products')).toBe(2);
    tested.answer('Products', { products: [product('1')] }, 'second');
    tested.updatesOf('second').answer.error(new Error('The connection is lost.'));
    expect(tested.count('Products')).toBe(2);
  });

  test.each(['clearStore', 'resetStore'] as const)('ends the updates of a user at %s', async (method) => {
    tested = new TestClient();
    const promise = tested.client.query({ query });
    tested.answer('Products', { products: [product('1')] }, 'first');
    await promise;
    expect(tested.updatesOf('first').isClosed).toBe(false);
    await tested.client[method]();
    expect(tested.updatesOf('first').isClosed).toBe(true);
    expect(tested.count('Products')).toBe(1);
  });
});

describe('urql with the documented exchange', () => {
  const pending = (token: string) => ({
    data: { advice: null },
    extensions: { tributary: { enrichment: { token } } },
  });
  const isSubscription = (query: string) => query.includes('subscription');

  /** A client that caches responses, and sends its operations to `respond`. */
  function createClient(respond: (query: string) => Response): Client {
    return new Client({
      url: 'http://gateway/graphql',
      exchanges: [cacheExchange, enrichmentExchange, fetchExchange],
      fetchSubscriptions: true,
      preferGetMethod: false,
      fetch: async (_, init) => respond((JSON.parse(init?.body as string) as { query: string }).query),
    });
  }

  function show(client: Client): { readonly shown: OperationResult[]; stop(): void } {
    const shown: OperationResult[] = [];
    // Copied, because urql marks results as stale.
    const { unsubscribe } = client
      .query('{ advice }', {}, { requestPolicy: 'cache-and-network' })
      .subscribe((result) => shown.push({ ...result }));
    return { shown, stop: unsubscribe };
  }

  /** Events of a subscription to enrichment updates, which the test sends. */
  class Updates {
    readonly #stream = new TransformStream<string, string>();
    readonly #writer = this.#stream.writable.getWriter();
    readonly response = new Response(this.#stream.readable.pipeThrough(new TextEncoderStream()), {
      headers: { 'content-type': 'text/event-stream' },
    });

    async send(data: string, hasNext = false): Promise<void> {
      const enrichment = { path: ['advice'], data, errors: null, hasNext };
      await this.#writer.write(`event: next\ndata: ${JSON.stringify({ data: { enrichment } })}\n\n`);
      await settle();
    }

    async end(): Promise<void> {
      await this.#writer.close().catch(() => {});
      await settle();
    }
  }

  test.each([
    ['the token has expired', () => Response.json(expired, { status: 404 })],
    [
      'the gateway shuts down',
      () => {
        const updates = new Updates();
        void updates.send('one', true).then(() => updates.end());
        return updates.response;
      },
    ],
  ])('sends the operation again, once, when the updates end early because %s', async (_, end) => {
    const settled = Promise.withResolvers<void>();
    let subscriptions = 0;
    let queries = 0;
    const client = createClient((query) => {
      if (!isSubscription(query)) {
        queries += 1;
        return Response.json(pending(`${queries}`));
      }
      subscriptions += 1;
      if (subscriptions === 2) settled.resolve();
      return end();
    });
    const { stop } = show(client);
    await settled.promise;
    await settle();
    await settle();
    expect({ queries, subscriptions }).toEqual({ queries: 2, subscriptions: 2 });
    stop();
  });

  test('keeps what it shows when the operation that it sends again fails', async () => {
    const sentAgain = Promise.withResolvers<void>();
    let queries = 0;
    const client = createClient((query) => {
      if (isSubscription(query)) return Response.json(expired, { status: 404 });
      queries += 1;
      if (queries === 1) return Response.json(pending('first'));
      sentAgain.resolve();
      return Response.json({ errors: [{ message: 'Busy.' }] }, { status: 503 });
    });
    const { shown, stop } = show(client);
    await sentAgain.promise;
    await settle();
    expect(shown.at(-1)).toMatchObject({ data: { advice: null }, error: undefined, stale: false });
    stop();
  });

  test('writes updates to the cache when nothing shows the query any more', async () => {
    const updates = new Updates();
    const client = createClient((query) =>
      isSubscription(query) ? updates.response : Response.json(pending('first')),
    );
    const { shown, stop } = show(client);
    while (shown.length === 0) await settle();
    stop();
    await updates.send('late');
    expect(client.readQuery('{ advice }', {})?.data).toEqual({ advice: 'late' });
    await updates.end();
  });

  test('does not replace a newer response by updates of an older one', async () => {
    const updates = new Updates();
    const answers = [Response.json(pending('first')), Response.json({ data: { advice: 'newer' } })];
    const client = createClient((query) =>
      isSubscription(query) ? updates.response : (answers.shift() as Response),
    );
    const first = show(client);
    while (first.shown.length === 0) await settle();
    const second = show(client);
    while (second.shown.at(-1)?.data?.advice !== 'newer') await settle();
    await updates.send('older');
    expect(second.shown.at(-1)?.data).toEqual({ advice: 'newer' });
    first.stop();
    second.stop();
    await updates.end();
  });
});

describe('Relay with the documented function', () => {
  const named = (id: string) => ({ __typename: 'Product', id, name: `Product ${id}` });
  const response = (recommended: object | null, token?: string) =>
    ({
      data: { product: { ...named('p1'), recommended } },
      ...(token === undefined ? {} : { extensions: { tributary: { enrichment: { token } } } }),
    }) as unknown as GraphQLResponse;
  const update = (data: unknown, hasNext: boolean) => ({ path: ['product', 'recommended'], data, hasNext });

  /** The recommendations in the store after each response. `answers`: to the queries, in order. `updates`: of each token,
   *  which expires after the last one unless that says that none follows. */
  async function showAll(
    answers: readonly GraphQLResponse[],
    updates: readonly ReturnType<typeof update>[],
  ): Promise<unknown[]> {
    const left = [...answers];
    const subscribe = () =>
      RelayObservable.create<GraphQLResponse>((sink) => {
        for (const enrichment of updates) sink.next({ data: { enrichment } } as unknown as GraphQLResponse);
        if (updates.at(-1)?.hasNext !== false) sink.next(expired as unknown as GraphQLResponse);
        sink.complete();
      });
    const environment = new Environment({
      network: Network.create(
        withEnrichmentUpdates(async () => left.shift() as GraphQLResponse, subscribe),
        subscribe,
      ),
      store: new Store(new RecordSource()),
    });
    const operation = createOperationDescriptor(enrichedProductRequest, { id: 'p1' });
    const shown: unknown[] = [];
    const { product } = await new Promise<{ product: { recommended: unknown } }>((resolve, reject) => {
      environment.execute({ operation }).subscribe({
        next: () => {
          const data = environment.lookup(operation.fragment).data as { product: { recommended: unknown } };
          shown.push(data.product.recommended);
        },
        complete: () => resolve(environment.lookup(operation.fragment).data as never),
        error: reject,
      });
    });
    expect(product.recommended).toEqual(shown.at(-1));
    return shown;
  }

  const list = [{ name: 'Product p2' }, { name: 'Product p3' }];

  test('shows the first response, and each update', async () => {
    const updates = [update([named('p2'), named('p3')], false)];
    expect(await showAll([response(null, 'first')], updates)).toEqual([null, list]);
  });

  test('sends the operation again, once, when the updates end early', async () => {
    const shown = await showAll(
      [response(null, 'first'), response([named('p2'), named('p3')], 'second')],
      [],
    );
    expect(shown).toEqual([null, list]);
  });
});
