import type { ApolloClient } from '@apollo/client';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Observable, Subject } from 'rxjs';
import type { ProductDetails, Stock } from '../../../storefront/page/operations.ts';
import { ProductLoader } from '../../../storefront/page/productLoader.ts';

beforeEach(() => void Object.assign(globalThis, { window: new EventTarget() }));
afterEach(() => void Reflect.deleteProperty(globalThis, 'window'));

test('a product is loaded again on request until the visitor has left its page', () => {
  let running = 0;
  const query = new Observable(() => {
    running += 1;
    return () => {
      running -= 1;
    };
  });
  const client = { watchQuery: () => query } as unknown as ApolloClient;
  const loader = new ProductLoader(client, 'p1', 'graph');
  loader.start();
  loader.retry();
  expect(running).toBe(1);
  loader.stop();
  loader.retry();
  expect(running).toBe(0);
});

describe('the stock of a subscription', () => {
  const stock = (total: number) => ({ total }) as Stock;
  const payload = (fields: Partial<ProductDetails>) => ({
    data: { product: { id: 'p1', stock: stock(131), ...fields } },
  });

  function startLoader() {
    const answers = new Subject<unknown>();
    const loader = new ProductLoader({ watchQuery: () => answers } as unknown as ApolloClient, 'p1', 'graph');
    loader.start();
    return { loader, answers, shown: () => loader.getSnapshot().product };
  }

  test('is newer than that of a response whose later payloads arrive afterwards', () => {
    const { loader, answers, shown } = startLoader();
    answers.next(payload({}));
    loader.showStock(stock(130));
    answers.next(payload({ recommended: [] }));
    expect(shown()).toEqual({ id: 'p1', stock: stock(130), recommended: [] });
    loader.retry();
    answers.next(payload({}));
    expect(shown()?.stock).toEqual(stock(131));
    loader.stop();
  });

  test('is newer than that of a response that arrives as a whole afterwards', () => {
    const { loader, answers, shown } = startLoader();
    loader.showStock(stock(130));
    answers.next(payload({}));
    expect([shown()?.stock, loader.getSnapshot().parts.stock]).toEqual([stock(130), 'arrived']);
    loader.stop();
  });
});
