import { describe, expect, test } from '@jest/globals';
import { meros } from 'meros/browser';
import {
  createOperationDescriptor,
  Environment,
  type FetchFunction,
  type GraphQLResponse,
  getSingularSelector,
  Network,
  Observable,
  RecordSource,
  type RequestParameters,
  Store,
  type Variables,
} from 'relay-runtime';
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

type Payload = Readonly<Record<string, unknown>> & {
  readonly hasNext?: boolean;
  readonly incremental?: readonly Readonly<Record<string, unknown>>[];
};

/** Relay expects each deferred payload as a separate response, and a flag on the last one. */
function toRelayResponses({ incremental, hasNext = false, ...first }: Payload): GraphQLResponse[] {
  const responses = incremental ?? ('data' in first ? [first] : []);
  return responses.map((response, index) => ({
    ...response,
    extensions: { is_final: !hasNext && index === responses.length - 1 },
  })) as unknown as GraphQLResponse[];
}

function fetchFrom(url: string): FetchFunction {
  async function* read({ text }: RequestParameters, variables: Variables): AsyncGenerator<GraphQLResponse> {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        accept: 'multipart/mixed;deferSpec=20220824, application/json',
        'content-type': 'application/json',
      },
      body: JSON.stringify({ query: text, variables }),
    });
    const parts = await meros<Payload>(response);
    if (parts instanceof Response) throw new Error(`Not multipart: ${await parts.text()}`);
    for await (const part of parts) {
      if (!part.json) throw new Error(`A part that is no JSON: ${part.body}`);
      yield* toRelayResponses(part.body);
    }
  }

  return (request, variables) =>
    Observable.create((sink) => {
      const run = async (): Promise<void> => {
        for await (const response of read(request, variables)) sink.next(response);
        sink.complete();
      };
      run().catch((error: unknown) => sink.error(error as Error));
    });
}

function errorsOf(response: GraphQLResponse): unknown {
  return 'errors' in response ? response.errors : undefined;
}

/** The store's data of the query and of its deferred fragment after each response, with the errors of that response. */
function watch(url: string): ResultLog<unknown> {
  const environment = new Environment({
    network: Network.create(fetchFrom(url)),
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
});
