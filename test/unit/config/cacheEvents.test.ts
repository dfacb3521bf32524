import { expect, test } from '@jest/globals';
import { findConfigProblems, parseConfig } from '../../../gateway/config/parseConfig.ts';

const supergraph = { file: 'supergraph.graphql' };
const events = { stream: 'shop:events' };

test('cache.events has no stream by default', () => {
  expect(parseConfig({ supergraph }).cache.events).toEqual({ stream: '' });
});

test('cache.events.stream needs a configured Redis server, cluster or sentinel', () => {
  expect(findConfigProblems({ supergraph, cache: { events } })).toEqual([
    {
      path: 'cache.events.stream',
      message: 'is "shop:events", but no Redis is configured',
      expected: 'one of `redis.url`, `redis.cluster` and `redis.sentinel` as well',
    },
  ]);
  for (const redis of [
    { url: 'redis://localhost' },
    { cluster: { nodes: ['a:1'] } },
    { sentinel: { nodes: ['a:1'] } },
  ]) {
    expect(findConfigProblems({ supergraph, redis, cache: { events } })).toEqual([]);
  }
  expect(findConfigProblems({ supergraph, cache: { events: { stream: '' } } })).toEqual([]);
});
