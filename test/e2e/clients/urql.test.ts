import { describe, expect, test } from '@jest/globals';
import { Client, fetchExchange } from '@urql/core';
import {
  primaryProduct,
  productQuery,
  productVariables,
  recommended,
  recommendedError,
  startGatedDemo,
} from '../../harness/gatedDemo.ts';
import { ResultLog } from './resultLog.ts';

/** The results that a query passes to its application, until the response is complete. */
function watch(url: string, query: string): ResultLog<unknown> {
  const client = new Client({ url, exchanges: [fetchExchange], preferGetMethod: false });
  const log = new ResultLog<unknown>();
  client.query(query, productVariables).subscribe(({ data, error, hasNext }) => {
    const errors = error?.graphQLErrors.map(({ message, path, extensions }) => ({
      message,
      path,
      extensions,
    }));
    // Copied, because urql merges later payloads into the same objects.
    log.push(structuredClone({ data, hasNext, ...(errors === undefined ? {} : { errors }) }));
    if (error?.networkError !== undefined) log.fail(error.networkError);
    else if (!hasNext) log.end();
  });
  return log;
}

const fastPart = { data: { product: primaryProduct }, hasNext: true };

describe('urql', () => {
  test('gets the primary data while the deferred fragment is pending, and then the complete response', async () => {
    await using shop = await startGatedDemo();
    const log = watch(shop.url, productQuery);

    expect(await log.first(1)).toEqual([fastPart]);
    shop.release();
    expect(await log.all()).toEqual([
      fastPart,
      { data: { product: { ...primaryProduct, recommended } }, hasNext: false },
    ]);
  });

  test('keeps the primary data when the deferred fragment fails, and gets the error', async () => {
    await using shop = await startGatedDemo({ isFailing: true });
    const log = watch(shop.url, productQuery);

    expect(await log.first(1)).toEqual([fastPart]);
    shop.release();
    expect(await log.all()).toEqual([
      fastPart,
      {
        data: { product: { ...primaryProduct, recommended: null } },
        hasNext: false,
        errors: [recommendedError],
      },
    ]);
  });

  test('gets one complete response to an operation without @defer', async () => {
    await using shop = await startGatedDemo();
    shop.release();
    const log = watch(shop.url, productQuery.replace('... @defer(label: "recommendations")', '...'));

    expect(await log.all()).toEqual([
      { data: { product: { ...primaryProduct, recommended } }, hasNext: false },
    ]);
  });
});
