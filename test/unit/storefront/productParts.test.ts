import { describe, expect, test } from '@jest/globals';
import { withUpdate } from '../../../storefront/page/enrichmentLink.ts';
import { outcomesOf } from '../../../storefront/page/productParts.ts';

const product = {
  id: 'p1',
  name: 'Pan',
  stock: { total: 3 },
  reviews: [],
  averageRating: null,
  reviewCount: 0,
};
const arrived = { outcome: 'arrived' };

describe('outcomesOf', () => {
  test('reports the product and each deferrable field of a first response', () => {
    expect(outcomesOf({ data: { product } })).toEqual([
      { part: 'product', field: 'product', ...arrived },
      { part: 'stock', field: 'stock', ...arrived },
      { part: 'reviews', field: 'reviews', ...arrived },
      { part: 'rating', field: 'averageRating', ...arrived },
      { part: 'rating', field: 'reviewCount', ...arrived },
    ]);
  });

  test('distinguishes fields that missed their budget, fields that the gateway fetches again, and failed fields', () => {
    const pending = [
      { path: ['product', 'stock'], reason: 'budget' },
      { path: ['product', 'reviews'], reason: 'error' },
    ];
    const payload = {
      data: { product: { stock: null, reviews: null, averageRating: null } },
      errors: [{ path: ['product', 'averageRating'], extensions: { code: 'SUBGRAPH_ERROR' } }],
      extensions: { tributary: { enrichment: { token: 't', pending } } },
    };
    expect(outcomesOf(payload).slice(1)).toEqual([
      { part: 'stock', field: 'stock', outcome: 'pending' },
      { part: 'reviews', field: 'reviews', outcome: 'failed' },
      { part: 'rating', field: 'averageRating', outcome: 'failed', code: 'SUBGRAPH_ERROR' },
    ]);
  });

  test('counts a field with an error below it as arrived', () => {
    const errors = [{ path: ['product', 'reviews', 0, 'author', 'displayName'] }];
    const payload = { data: { product: { reviews: [{ author: { displayName: null } }] } }, errors };
    expect(outcomesOf(payload)).toContainEqual({ part: 'reviews', field: 'reviews', ...arrived });
  });

  test('counts a field with a pending field below it as arrived, and ignores the update of that one', () => {
    const path = ['product', 'reviews', 0, 'author', 'displayName'];
    const payload = {
      data: { product: { reviews: [{ author: { displayName: null } }] } },
      extensions: { tributary: { enrichment: { token: 't', pending: [{ path, reason: 'error' }] } } },
    };
    expect(outcomesOf(payload)).toContainEqual({ part: 'reviews', field: 'reviews', ...arrived });
    expect(outcomesOf(withUpdate(payload, { path, data: 'Ann', errors: null, hasNext: false }))).toEqual([]);
  });

  test.each([
    ['without data', { data: null, errors: [{ extensions: { code: 'OVERLOADED' } }] }, 'OVERLOADED'],
    ['whose product failed', { data: { product: null }, errors: [{ path: ['product'] }] }, undefined],
  ])('reports the product of a response %s as failed', (_, payload, code) => {
    const expected = { part: 'product', field: 'product', outcome: 'failed', code };
    expect(outcomesOf(payload)).toEqual([expected]);
  });

  test('reports the product as arrived if it does not exist', () => {
    expect(outcomesOf({ data: { product: null } })).toEqual([
      { part: 'product', field: 'product', ...arrived },
    ]);
  });

  test('reports the fields of deferred fragments, and all fields of one that failed as a whole', () => {
    const incremental = [
      { label: 'stock', path: ['product'], data: { stock: { total: 1 } } },
      {
        label: 'recommendations',
        path: ['product'],
        data: { recommended: null },
        errors: [{ path: ['product', 'recommended'] }],
      },
      {
        label: 'reviews',
        path: ['product'],
        data: null,
        errors: [{ extensions: { code: 'SUBGRAPH_TIMEOUT' } }],
      },
    ];
    const failed = { outcome: 'failed', code: 'SUBGRAPH_TIMEOUT' };
    expect(outcomesOf({ incremental, hasNext: false })).toEqual([
      { part: 'stock', field: 'stock', ...arrived },
      { part: 'recommendations', field: 'recommended', outcome: 'failed' },
      { part: 'rating', field: 'averageRating', ...failed },
      { part: 'rating', field: 'reviewCount', ...failed },
      { part: 'reviews', field: 'reviews', ...failed },
    ]);
    expect(outcomesOf({ hasNext: false })).toEqual([]);
  });

  test('reports the field of an enrichment update', () => {
    const update = (data: unknown, errors: [{ message: string }] | null) =>
      withUpdate({ data: { product } }, { path: ['product', 'stock'], data, errors, hasNext: false });
    expect(outcomesOf(update({ total: 2 }, null))).toEqual([{ part: 'stock', field: 'stock', ...arrived }]);
    expect(outcomesOf(update(null, [{ message: 'down' }]))).toEqual([
      { part: 'stock', field: 'stock', outcome: 'failed' },
    ]);
  });

  test('says which values are stale, and which parts no subgraph was called for', () => {
    const fetches = [
      { subgraph: 'products', group: 0, outcome: 'cached' },
      { subgraph: 'products', group: 4 },
      { subgraph: 'reviews', group: 1, outcome: 'cached' },
      { subgraph: 'reviews', group: 2, outcome: 'sent' },
      { subgraph: 'inventory', group: 3, outcome: 'stale' },
    ];
    const stale = [{ path: ['product', 'stock', 'total'], ageMs: 5312, reason: 'error' }];
    const payload = { data: { product }, extensions: { tributary: { stale, explain: { fetches } } } };
    expect(outcomesOf(payload).map(({ field, origin }) => [field, origin])).toStrictEqual([
      ['product', {}],
      ['stock', { staleForMs: 5312 }],
      ['reviews', undefined],
      ['averageRating', undefined],
      ['reviewCount', undefined],
    ]);
  });
});
