import { expect, test } from '@jest/globals';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';
import { subgraphPolicy } from '../../../gateway/config/subgraphPolicy.ts';

const config = parseConfig({
  supergraph: { file: 'supergraph.graphql' },
  subgraphs: {
    all: { timeouts: { attempt: '2s' }, connections: 10 },
    reviews: { url: 'http://reviews.internal/graphql', timeouts: { deadline: '3s' }, http2: 'off' },
    accounts: { headers: { forward: [] } },
  },
});

test('a named subgraph gets its own options over those of all', () => {
  expect(subgraphPolicy(config, 'reviews')).toEqual({
    url: 'http://reviews.internal/graphql',
    timeouts: { attempt: 2_000, deadline: 3_000 },
    headers: { forward: ['authorization', 'accept-language'] },
    connections: 10,
    maxResponseSize: 64 * 1024 ** 2,
    http2: 'off',
    subscription: { protocol: 'auto', path: '' },
  });
});

test('an empty list of headers wins over that of all', () => {
  expect(subgraphPolicy(config, 'accounts').headers).toEqual({ forward: [] });
});

test.each(['products', 'all', 'constructor', '__proto__'])(
  '%s without a section gets that of all',
  (name) => {
    expect(subgraphPolicy(config, name)).toEqual({ url: undefined, ...config.subgraphs.all });
  },
);
