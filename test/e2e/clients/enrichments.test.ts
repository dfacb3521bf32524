import { ApolloClient, ApolloLink, gql, HttpLink, InMemoryCache } from '@apollo/client/core';
import { expect, test } from '@jest/globals';
import { Client, cacheExchange, type Exchange, fetchExchange, ssrExchange } from '@urql/core';
import { createClient, type Sink } from 'graphql-sse';
import {
  createOperationDescriptor,
  Environment,
  type GraphQLResponse,
  getSingularSelector,
  Network,
  Observable,
  RecordSource,
  type RequestParameters,
  Store,
  type Variables,
} from 'relay-runtime';
import { fetchWithDefer } from '../../../docs/examples/defer/relay.ts';
import { enrichmentLink } from '../../../docs/examples/enrichments/apollo.ts';
import { withEnrichmentUpdates } from '../../../docs/examples/enrichments/relay.ts';
import { enrichmentExchange } from '../../../docs/examples/enrichments/urql.ts';
import type { GatewayOptions } from '../../../gateway/gateway.ts';
import { type EnrichedShop, startEnrichedShop } from '../../harness/enrichedShop.ts';
import { primaryProduct, productVariables, recommended, startGatedDemo } from '../../harness/gatedDemo.ts';
import priceFragment from './__generated__/relayEnrichedProduct_price.graphql.ts';
import enrichedRequest from './__generated__/relayEnrichedProductAndDeferQuery.graphql.ts';
import { ResultLog } from './resultLog.ts';

const query = '{ products { id advice { text } related { name } } }';

const first = [1, 2].map((id) => ({ id: String(id), advice: null, related: null }));
const last = [
  { id: '1', advice: { text: 'about 1' }, related: [{ name: 'Pot' }] },
  { id: '2', advice: { text: 'about 2' }, related: [{ name: 'Pan' }] },
];

async function startHeldShop(config: Partial<GatewayOptions> = {}) {
  const shop = await startEnrichedShop({ config });
  const gates = ['Product.advice', 'Product.related'].map((field) => shop.advice.hold(field));
  return {
    shop,
    release: () => {
      for (const gate of gates) gate.open();
    },
  };
}

test('Apollo Client with the documented link gets enrichment updates into its cache', async () => {
  const { shop, release } = await startHeldShop();
  await using _ = shop;
  const client: ApolloClient = new ApolloClient({
    link: ApolloLink.from([enrichmentLink(() => client), new HttpLink({ uri: shop.gateway.url })]),
    cache: new InMemoryCache(),
  });
  const log = new ResultLog<unknown>();
  const observable = client.watchQuery<{ products: readonly { related: unknown; advice: unknown }[] }>({
    query: gql(query),
  });
  const subscription = observable.subscribe(({ data, dataState, loading }) => {
    if (loading || dataState !== 'complete') return;
    log.push(withoutTypes(data));
    if (data.products.every(({ related, advice }) => related !== null && advice !== null)) log.end();
  });
  expect(await log.first(1)).toEqual([{ products: first }]);
  release();
  const shown = await log.all();
  expect(shown.at(-1)).toEqual({ products: last });
  subscription.unsubscribe();
  client.stop();
});

test('urql with the documented exchange shows the first response and each enrichment update', async () => {
  const { shop, release } = await startHeldShop();
  await using _ = shop;
  const client = createUrqlClient(shop);
  const log = new ResultLog<unknown>();
  let count = 0;
  const { unsubscribe } = client.query(query, {}).subscribe(({ data }) => {
    log.push(withoutTypes(data));
    // The first response and four updates.
    count += 1;
    if (count === 5) log.end();
  });
  expect(await log.first(1)).toEqual([{ products: first }]);
  release();
  expect((await log.all()).at(-1)).toEqual({ products: last });
  unsubscribe();
  expect(withoutTypes(client.readQuery(query, {})?.data)).toEqual({ products: last });
});

test('urql gets the updates of a response whose later payloads report something, too', async () => {
  // Every payload has its critical path in `extensions.tributary`.
  const { shop, release } = await startHeldShop({ security: { exposeSubgraphs: true } });
  await using _ = shop;
  const client = createUrqlClient(shop);
  const log = new ResultLog<unknown>();
  const deferring = '{ top { id advice { text } ... @defer { similar { name } } } }';
  const { unsubscribe } = client.query(deferring, {}).subscribe((result) => {
    const data = withoutTypes(result.data);
    log.push(data);
    const { top } = data as { top: { advice: unknown; similar?: unknown } };
    if (top.advice !== null && top.similar !== undefined) log.end();
  });
  await log.first(2);
  release();
  expect((await log.all()).at(-1)).toEqual({
    top: { id: '1', advice: { text: 'about 1' }, similar: [{ name: 'Pot' }] },
  });
  unsubscribe();
});

test('urql sends the query of a server-rendered page again in the browser, and shows the update of its null', async () => {
  const { shop, release } = await startHeldShop();
  await using _ = shop;
  const page = '{ top { id advice { text } } }';
  const serverState = ssrExchange({ isClient: false });
  const server = new Client({
    url: shop.gateway.url,
    exchanges: [serverState, fetchExchange],
    preferGetMethod: false,
  });
  const { data } = await server.query(page, {}).toPromise();
  expect(withoutTypes(data)).toEqual({ top: { id: '1', advice: null } });
  const initialState = serverState.extractData();
  const state = ssrExchange({ isClient: true, staleWhileRevalidate: true, initialState });
  const result = createUrqlClient(shop, state).query(page, {}, { requestPolicy: 'cache-and-network' });
  // The hook of React reads the result while it renders, and subscribes afterwards.
  result.subscribe(() => {}).unsubscribe();
  const log = new ResultLog<unknown>();
  const { unsubscribe } = result.subscribe((shown) => {
    log.push(withoutTypes(shown.data));
    if (shown.data.top.advice !== null) log.end();
  });
  release();
  expect((await log.all()).at(-1)).toEqual({ top: { id: '1', advice: { text: 'about 1' } } });
  unsubscribe();
});

test('Relay with both documented functions gets the update of a field beside a deferred fragment', async () => {
  await using shop = await startGatedDemo({
    config: { enrichment: { fields: { 'Product.recommended': { budget: '0ms' } } } },
  });
  const events = createClient({ url: shop.url });
  const subscribe = ({ text }: RequestParameters, variables: Variables) =>
    Observable.create<GraphQLResponse>((sink) =>
      events.subscribe({ query: text ?? '', variables }, sink as Sink),
    );
  const environment = new Environment({
    network: Network.create(withEnrichmentUpdates(fetchWithDefer(shop.url), subscribe)),
    store: new Store(new RecordSource()),
  });
  const operation = createOperationDescriptor(enrichedRequest, productVariables);
  const read = () => {
    const { product } = environment.lookup(operation.fragment).data as { product: Record<string, unknown> };
    const selector = getSingularSelector(priceFragment, product);
    return { recommended: product.recommended, ...(selector && environment.lookup(selector).data) };
  };
  const log = new ResultLog<unknown>();
  environment.execute({ operation }).subscribe({
    next: () => log.push(read()),
    complete: () => log.end(),
    error: (error: unknown) => log.fail(error),
  });
  const price = { amount: primaryProduct.price.amount };
  expect(await log.first(2)).toEqual([
    { recommended: null, price: undefined },
    { recommended: null, price },
  ]);
  shop.release();
  expect((await log.all()).at(-1)).toEqual({ recommended: recommended.map(({ name }) => ({ name })), price });
  events.dispose();
});

function createUrqlClient({ gateway }: EnrichedShop, ...state: readonly Exchange[]): Client {
  return new Client({
    url: gateway.url,
    exchanges: [cacheExchange, ...state, enrichmentExchange, fetchExchange],
    preferGetMethod: false,
    fetchSubscriptions: true,
  });
}

/** Apollo Client and the cache of urql add `__typename` to every object. */
function withoutTypes(data: unknown): unknown {
  return JSON.parse(
    JSON.stringify(data, (key, value: unknown) => (key === '__typename' ? undefined : value)),
  );
}
