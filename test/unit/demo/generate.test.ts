import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { generate, generatedDirectory } from '../../../subgraphs/shared/generate.ts';

const files = generate();

test('the generator writes exactly the committed files', () => {
  expect(readdirSync(generatedDirectory).sort()).toEqual([...files.keys()].sort());
});

test.each([...files])(
  'the committed %s equals the generated file (otherwise run `node subgraphs/shared/generate.ts`)',
  (name, text) => {
    // Compared as a boolean, because the difference of two such long files is not readable.
    expect(readFileSync(new URL(name, generatedDirectory), 'utf8') === text).toBe(true);
  },
);

test('the generator produces the same data in every run', () => {
  expect([...generate()].every(([name, text]) => files.get(name) === text)).toBe(true);
});

test('the generated shop has at least 200 products, 2,000 reviews and 300 accounts with unique ids', () => {
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
