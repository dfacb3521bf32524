import { describe, expect, test } from '@jest/globals';
import { ConfigError } from '../../../gateway/config/configError.ts';
import { parseConfig } from '../../../gateway/config/parseConfig.ts';

const supergraph = { file: 'unused' };

function read(topics: unknown, redis: unknown = {}) {
  return parseConfig({ supergraph, redis, subscriptions: { topics } }).subscriptions.topics;
}

function problemsOf(topics: unknown): readonly string[] {
  try {
    read(topics);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ path, message }) => `${path} ${message}`);
    throw error;
  }
  return [];
}

describe('subscriptions.topics', () => {
  test('binds fields to streams and topics', () => {
    const topics = {
      'Subscription.stockChanged': { stream: 'shop:stock', filter: { warehouse: 'warehouse.id' } },
      'Subscription.priceChanged': { topic: 'price' },
    };
    expect(read(topics, { url: 'redis://127.0.0.1' })).toEqual({
      ...topics,
      'Subscription.priceChanged': { topic: 'price', filter: {} },
    });
  });

  test('requires either a stream or a topic', () => {
    const topics = {
      'Subscription.a': {},
      'Subscription.b': { stream: '', topic: 't' },
      'Subscription.c': { stream: 's', topic: 't' },
    };
    expect(problemsOf(topics)).toEqual([
      'subscriptions.topics["Subscription.a"] has neither `stream` nor `topic`',
      'subscriptions.topics["Subscription.b"].stream is ""',
      'subscriptions.topics["Subscription.c"] has both `stream` and `topic`',
      'subscriptions.topics["Subscription.c"].stream is "s", but no Redis is configured',
    ]);
  });

  test('requires a configured Redis for a stream', () => {
    expect(problemsOf({ 'Subscription.a': { stream: 'shop:stock' } })).toEqual([
      'subscriptions.topics["Subscription.a"].stream is "shop:stock", but no Redis is configured',
    ]);
  });

  test('requires valid coordinates, arguments and paths', () => {
    const problems = problemsOf({
      stockChanged: { topic: 't' },
      'Subscription.a': { topic: 't', filter: { 'not a name': 'id', warehouse: 'warehouse..id' } },
    });
    expect(problems).toHaveLength(3);
  });
});
