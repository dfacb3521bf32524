import { createHash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import * as generators from '../../../subgraphs/shared/generate.ts';

test('the generated data of the demo are the same in every run, and on every machine', () => {
  const digests = Object.entries(generators).map(([name, generate]) => [
    name,
    createHash('sha256').update(JSON.stringify(generate())).digest('hex').slice(0, 8),
  ]);
  expect(Object.fromEntries(digests)).toEqual({
    generateAccounts: '9bf53617',
    generateProducts: '2f9daa6b',
    generateInventory: '6c650eca',
    generateReviews: '3c3837a4',
    generateRecommendations: '33ac0a8d',
  });
});

test('the generated shop has at least 200 products, 2,000 reviews and 300 accounts with unique ids', () => {
  const distinct = <Item extends object>(records: readonly Item[], key: keyof Item) =>
    new Set(records.map((record) => record[key])).size;
  const { products } = generators.generateProducts();
  const { reviews } = generators.generateReviews();
  const { accounts } = generators.generateAccounts();

  expect({
    products: [distinct(products, 'id'), distinct(products, 'upc'), products.length],
    reviews: [distinct(reviews, 'id'), reviews.length],
    accounts: [distinct(accounts, 'id'), distinct(accounts, 'username'), accounts.length],
  }).toEqual({ products: [240, 240, 240], reviews: [2400, 2400], accounts: [320, 320, 320] });
});
