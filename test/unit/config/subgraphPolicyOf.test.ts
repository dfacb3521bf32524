import { expect, test } from '@jest/globals';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import { subgraphPolicyOf } from '../../../gateway/config/subgraphPolicyOf.ts';

const config = parseConfig({
  supergraph: { file: 'supergraph.graphql' },
  subgraphs: {
    all: { timeouts: { attempt: '2s' }, connections: 10, concurrency: { max: 8 } },
    reviews: {
      url: 'http://reviews.internal/graphql',
      timeouts: { deadline: '3s' },
      http2: 'off',
      retry: { attempts: 3, on: ['503'] },
      hedge: { after: '50ms' },
    },
    stock: { concurrency: { queue: 0 } },
    search: { concurrency: { max: 3 } },
    accounts: { headers: { forward: [] } },
  },
});

test('the options of a named subgraph override those of subgraphs.all', () => {
  expect(subgraphPolicyOf(config, 'reviews')).toEqual({
    url: 'http://reviews.internal/graphql',
    timeouts: { attempt: 2_000, deadline: 3_000 },
    headers: { forward: ['authorization', 'accept-language'], rules: [], respond: [] },
    tls: { ca: '', cert: '', key: '' },
    signing: { enabled: true, header: 'x-tributary-signature' },
    urls: [],
    maxConnectionAge: 300_000,
    connections: 10,
    concurrency: { adaptive: true, max: 8, queue: 1_000 },
    retry: { ...config.subgraphs.all.retry, attempts: 3, on: [503] },
    breaker: config.subgraphs.all.breaker,
    hedge: { enabled: false, after: 50, budgetRatio: 0.05 },
    maxResponseSize: 64 * 1024 ** 2,
    http2: 'off',
    subscription: { protocol: 'auto', path: '', connectionParams: [] },
  });
});

test('concurrency.max and concurrency.queue fall back to subgraphs.all independently', () => {
  expect(subgraphPolicyOf(config, 'stock').concurrency).toMatchObject({ max: 8, queue: 0 });
  expect(subgraphPolicyOf(config, 'search').concurrency).toMatchObject({ max: 3, queue: 1_000 });
});

test('an option that is undefined does not override that of subgraphs.all', () => {
  const { subgraphs } = parseConfig({
    supergraph: { file: 'supergraph.graphql' },
    subgraphs: { all: { timeouts: { attempt: '2s' } }, reviews: { timeouts: { attempt: undefined } } },
  });
  const { timeouts } = subgraphPolicyOf({ ...config, subgraphs }, 'reviews');
  expect(timeouts).toEqual(subgraphs.all.timeouts);
});

test('an empty list of headers overrides that of subgraphs.all', () => {
  expect(subgraphPolicyOf(config, 'accounts').headers).toEqual({ forward: [], rules: [], respond: [] });
});

test.each(['products', 'all', 'constructor', '__proto__'])(
  '%s without a section gets that of all',
  (name) => {
    expect(subgraphPolicyOf(config, name)).toEqual({ url: undefined, urls: [], ...config.subgraphs.all });
  },
);
