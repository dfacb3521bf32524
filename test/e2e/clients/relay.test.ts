import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import {
  createOperationDescriptor,
  Environment,
  type GraphQLResponse,
  getSingularSelector,
  Network,
  Observable,
  RecordSource,
  Store,
} from 'relay-runtime';
import { fetchWithDefer } from '../../../docs/examples/defer/relay.ts';
import { closeServer } from '../../harness/closeServer.ts';
import {
  primaryProduct,
  productVariables,
  recommended,
  recommendedError,
  startGatedDemo,
} from '../../harness/gatedDemo.ts';
import recommendedFragment from './__generated__/relayProduct_recommended.graphql.ts';
import productRequest from './__generated__/relayProductQuery.graphql.ts';
import { ResultLog } from './resultLog.ts';

function errorsOf(response: GraphQLResponse): unknown {
  return 'errors' in response ? response.errors : undefined;
}

/** The store's data of the query and of its deferred fragment after each response, with the errors of that response. */
function watch(url: string): ResultLog<unknown> {
  const environment = new Environment({
    network: Network.create(fetchWithDefer(url)),
    store: new Store(new RecordSource()),
  });
  const operation = createOperationDescriptor(productRequest, productVariables);
  const retained = environment.retain(operation);
  const log = new ResultLog<unknown>();

  function readStore(): object {
    const { product } = environment.lookup(operation.fragment).data as { product: Record<string, unknown> };
    const selector = getSingularSelector(recommendedFragment, product);
    if (selector === null || selector === undefined) throw new Error('The product has no deferred fragment.');
    const { data, isMissingData } = environment.lookup(selector);
    return { product: { name: product.name, price: product.price }, deferred: data, isMissingData };
  }

  environment.execute({ operation }).subscribe({
    next: (response) => log.push({ ...readStore(), errors: errorsOf(response) }),
    complete: () => {
      log.end();
      retained.dispose();
    },
    error: (error: unknown) => log.fail(error),
  });
  return log;
}

const product = { name: primaryProduct.name, price: primaryProduct.price };
const fastPart = { product, deferred: { recommended: undefined }, isMissingData: true };

describe('Relay with meros', () => {
  test('gets the primary data while the deferred fragment is pending, and then the complete response', async () => {
    await using shop = await startGatedDemo();
    const log = watch(shop.url);

    expect(await log.first(1)).toEqual([fastPart]);
    shop.release();
    expect(await log.all()).toEqual([
      fastPart,
      {
        product,
        deferred: { recommended: recommended.map(({ name }) => ({ name })) },
        isMissingData: false,
      },
    ]);
  });

  test('keeps the primary data when the deferred fragment fails, and gets the error', async () => {
    await using shop = await startGatedDemo({ isFailing: true });
    const log = watch(shop.url);

    expect(await log.first(1)).toEqual([fastPart]);
    shop.release();
    expect(await log.all()).toEqual([
      fastPart,
      { product, deferred: { recommended: null }, isMissingData: false, errors: [recommendedError] },
    ]);
  });

  test('ends the request when the query is disposed of', async () => {
    const arrived = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    const server = createServer((_, response) => {
      response.once('close', ended.resolve);
      arrived.resolve();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const send = fetchWithDefer(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const subscription = Observable.from(send(productRequest.params, {}, {})).subscribe({});
    await arrived.promise;
    subscription.unsubscribe();
    await ended.promise;
    await closeServer(server);
  });
});
