import { describe, expect, test } from '@jest/globals';
import { findProblem, type ResponseBody } from './checkResponse.ts';
import { findGrowth, type QuietSample } from './flatness.ts';
import type { ProcessState } from './inspectProcess.ts';

const expected = { product: { name: 'Pan', reviews: [{ id: 'r1' }, { id: 'r2' }] } };
const failed = (path: readonly (string | number)[], code = 'SUBGRAPH_TIMEOUT') => ({
  path,
  extensions: { code },
});
const withPending = { tributary: { enrichment: { pending: [{ path: ['product', 'reviews'] }] } } };
const noReviews = { product: { name: 'Pan', reviews: null } };

test.each<[string, ResponseBody]>([
  ['that is complete', { data: expected }],
  ['with an error at the null', { data: noReviews, errors: [failed(['product', 'reviews'])] }],
  [
    'with an error below the null',
    { data: { product: null }, errors: [failed(['product', 'reviews', 0, 'id'])] },
  ],
  ['with an error above the null', { data: noReviews, errors: [failed(['product'])] }],
  ['with a pending enrichment at the null', { data: noReviews, extensions: withPending }],
  ['without data, with an error without a path', { errors: [failed([], 'OVERLOADED')] }],
])('accepts a response %s', (_, body) => {
  expect(findProblem(expected, body)).toBeUndefined();
});

test.each<[string, ResponseBody, string]>([
  [
    'another value',
    { data: { product: { ...expected.product, name: 'Pot' } } },
    'product.name: "Pot" instead of "Pan"',
  ],
  ['an unexplained null', { data: noReviews }, 'product.reviews: null without an error'],
  [
    'a null that an error elsewhere does not explain',
    { data: noReviews, errors: [failed(['product', 'name'])] },
    'product.reviews: null without an error',
  ],
  [
    'a short list',
    { data: { product: { name: 'Pan', reviews: [{ id: 'r1' }] } } },
    'product.reviews: 0 instead of 0,1',
  ],
  ['a missing field', { data: { product: { name: 'Pan' } } }, 'product: name instead of name,reviews'],
  [
    'an internal error',
    { data: noReviews, errors: [failed(['product', 'reviews'], 'INTERNAL_SERVER_ERROR')] },
    'an error without an allowed code: {"path":["product","reviews"],"extensions":{"code":"INTERNAL_SERVER_ERROR"}}',
  ],
])('rejects a response with %s', (_, body, problem) => {
  expect(findProblem(expected, body)).toBe(problem);
});

describe('growth', () => {
  const state: ProcessState = {
    heap: 40e6,
    buffers: 9e6,
    rss: 200e6,
    sockets: 5,
    timers: 7,
    resources: { TCPServerWrap: 2 },
    listeners: { 'Pool.connect': 10 },
    cpu: 1,
  };
  const samplesOf = (count: number, changeOf: (index: number) => Partial<ProcessState>): QuietSample[] =>
    Array.from({ length: count }, (_, index) => ({
      second: 60 * index,
      requests: 100 * index,
      state: { ...state, ...changeOf(index) },
    }));

  test('is not found where the counts change little and the heap shrinks', () => {
    expect(findGrowth(samplesOf(60, (n) => ({ sockets: 5 + (n % 5), heap: 40e6 - 1e4 * n })))).toEqual([]);
  });

  test('is found where sockets, timers, listeners or resources are never released', () => {
    const leak = (n: number): Partial<ProcessState> => ({
      sockets: 5 + 6 * n,
      timers: 7 + 6 * n,
      resources: { TCPServerWrap: 2, Timeout: 6 * n },
      listeners: { 'Pool.connect': 10 + 6 * n },
    });
    expect(findGrowth(samplesOf(2, leak))).toEqual([
      'sockets: 11 instead of 5',
      'timers: 13 instead of 7',
      'resource Timeout: 6 instead of 0',
      'listener Pool.connect: 16 instead of 10',
    ]);
  });

  test('of memory is found by its ends in a short soak, and by its trend in a long one', () => {
    expect(findGrowth(samplesOf(2, (n) => ({ heap: 40e6 + 5e6 * n })))).toEqual([
      'heap: grew by 5.0 MB in all, more than 4.0 MB',
    ]);
    expect(findGrowth(samplesOf(60, (n) => ({ buffers: 9e6 + 1e5 * n })))).toEqual([
      'buffers: grew by 6.0 MB per hour, more than 3.0 MB',
    ]);
  });

  test('cannot be found in one sample', () => {
    expect(findGrowth(samplesOf(1, () => ({})))).toEqual(['there were less than two samples']);
  });
});
