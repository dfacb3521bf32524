import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { generate, generatedDirectory } from '../../../subgraphs/shared/generate.ts';

const files = generate();

test('writes exactly the files that are committed', () => {
  expect(readdirSync(generatedDirectory).sort()).toEqual([...files.keys()].sort());
});

test.each([...files])(
  '%s is what the generator makes (else run `node subgraphs/shared/generate.ts`)',
  (name, text) => {
    // Compared as a truth value: a difference of two such files helps nobody.
    expect(readFileSync(new URL(name, generatedDirectory), 'utf8') === text).toBe(true);
  },
);

test('makes the same data every time', () => {
  expect([...generate()].every(([name, text]) => files.get(name) === text)).toBe(true);
});

test('fills a shop: at least 200 products, 2,000 reviews and 300 accounts, each with ids of its own', () => {
  const read = (name: string) => JSON.parse(files.get(`${name}.json`) ?? '');
  const distinct = (records: readonly Record<string, string>[], key: string) =>
    new Set(records.map((record) => record[key])).size;
  const { products } = read('products');
  const { reviews } = read('reviews');
  const { accounts } = read('accounts');

  expect({
    products: [distinct(products, 'id'), distinct(products, 'upc'), products.length],
    reviews: [distinct(reviews, 'id'), reviews.length],
    accounts: [distinct(accounts, 'id'), distinct(accounts, 'username'), accounts.length],
  }).toEqual({ products: [240, 240, 240], reviews: [2400, 2400], accounts: [320, 320, 320] });
});
