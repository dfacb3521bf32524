import type { ApolloClient } from '@apollo/client';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Observable } from 'rxjs';
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
