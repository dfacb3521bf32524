import { expect, test } from '@jest/globals';
import { findConfigProblems, parseConfig } from '../../../gateway/config/parseConfig.ts';

const supergraph = { file: 'supergraph.graphql' };

test('the default configuration has no cache rules', () => {
  expect(parseConfig({ supergraph }).cache).toMatchObject({
    enabled: true,
    rules: {},
    nullMaxAge: 5_000,
    ignoreHeaders: [],
    responseTags: { count: 100, length: 256 },
  });
});

test('cache.rules accepts types, fields and subgraphs', () => {
  const rules = {
    Product: { maxAge: '1m' },
    'Product.stock': { maxAge: '5s', staleWhileRevalidate: '30s', staleIfError: '10m' },
    'subgraph:inventory': { maxAge: '2s', scope: 'PRIVATE', tags: ['inventory'] },
    'subgraph:my shop': { maxAge: 0 },
  } as const;
  expect(parseConfig({ supergraph, cache: { rules } }).cache.rules).toEqual({
    Product: { maxAge: 60_000, staleWhileRevalidate: 0, staleIfError: 0 },
    'Product.stock': { maxAge: 5_000, staleWhileRevalidate: 30_000, staleIfError: 600_000 },
    'subgraph:inventory': {
      maxAge: 2_000,
      staleWhileRevalidate: 0,
      staleIfError: 0,
      scope: 'PRIVATE',
      tags: ['inventory'],
    },
    'subgraph:my shop': { maxAge: 0, staleWhileRevalidate: 0, staleIfError: 0 },
  });
});

test('a parsed configuration with cache.rules can be parsed again', () => {
  const config = parseConfig({ supergraph, cache: { rules: { Product: { maxAge: '1m' } } } });
  expect(parseConfig(config)).toEqual(config);
});

test.each([
  '',
  'Product.',
  '.stock',
  'Product.stock.more',
  'Product stock',
  '1 st',
  'subgraph:',
  'subgraph: ',
  'Query.a()',
])('a cache rule for "%s" is refused with its path', (name) => {
  expect(findConfigProblems({ supergraph, cache: { rules: { [name]: { maxAge: '1s' } } } })).toEqual([
    {
      path: `cache.rules[${JSON.stringify(name)}]`,
      message: 'is not a valid key',
      expected:
        'a type such as `Product`, a field such as `Product.stock` or a subgraph such as `subgraph:inventory`',
    },
  ]);
});

test('every problem in a cache rule is reported with its path', () => {
  const rules = {
    'Product.stock': { maxAge: '-5s', staleIfErorr: '1m', scope: 'SHARED', tags: [' '] },
    Product: { staleIfError: '5 s' },
  };
  expect(findConfigProblems({ supergraph, cache: { rules } })).toEqual([
    {
      path: 'cache.rules["Product.stock"].maxAge',
      message: 'is "-5s"',
      expected: 'a duration such as 250ms, 2s, 5m or 1h, at most 596h',
    },
    {
      path: 'cache.rules["Product.stock"].scope',
      message: 'is "SHARED"',
      expected: 'one of PUBLIC, PRIVATE',
    },
    {
      path: 'cache.rules["Product.stock"].tags[0]',
      message: 'is " "',
      expected: 'a string that is not blank and contains no NUL',
    },
    {
      path: 'cache.rules["Product.stock"].staleIfErorr',
      message: 'is not known; did you mean `staleIfError`?',
      expected: '',
    },
    {
      path: 'cache.rules.Product.maxAge',
      message: 'is missing',
      expected: 'a duration such as 250ms, 2s, 5m or 1h, at most 596h',
    },
    {
      path: 'cache.rules.Product.staleIfError',
      message: 'is "5 s"',
      expected: 'a duration such as 250ms, 2s, 5m or 1h, at most 596h',
    },
  ]);
});
