import { expect, test } from '@jest/globals';
import { findConfigProblems, parseConfig } from '../../../gateway/config/parseConfig.ts';

const supergraph = { file: 'supergraph.graphql' };

test('by default, overload is shed and every client may claim any priority', () => {
  expect(parseConfig({ supergraph }).overload).toEqual({
    eventLoopDelay: 200,
    memory: 0.9,
    queueTime: 500,
    executionQueueTime: 5_000,
    priorities: { operations: {}, claims: { anonymous: 'critical', identified: 'critical' } },
  });
  expect(findConfigProblems({ supergraph, overload: { eventLoopDelay: '0s', memory: 1 } })).toEqual([]);
});

test('values without sense are refused with their path and a valid example', () => {
  const overload = {
    eventLoopDelay: '5ms',
    memory: 0,
    priorities: {
      operations: { 'not a name': 'critical', Checkout: 'high' },
      claims: { anonymous: 'critical', identified: 'normal' },
    },
  };
  expect(findConfigProblems({ supergraph, overload })).toEqual([
    {
      path: 'overload.eventLoopDelay',
      message: 'is "5ms"',
      expected: 'a duration of at least 20ms, such as 200ms, or 0s for no limit',
    },
    { path: 'overload.memory', message: 'is 0', expected: 'a number above 0 and up to 1, such as 0.5' },
    {
      path: 'overload.priorities.operations["not a name"]',
      message: 'is not a valid key',
      expected: 'the name of an operation, such as Checkout',
    },
    {
      path: 'overload.priorities.operations.Checkout',
      message: 'is "high"',
      expected: 'one of critical, normal, background',
    },
    {
      path: 'overload.priorities.claims.anonymous',
      message: 'is critical, more than the normal that identified requests may claim',
      expected: 'at most `identified`, such as { anonymous: normal, identified: critical }',
    },
  ]);
});

test('a rate limit without sense is refused with its path and a valid example', () => {
  const limits = { rate: { cost: -1, window: '1500ms', key: 'header:content-type' } };
  expect(findConfigProblems({ supergraph, limits })).toEqual([
    { path: 'limits.rate.cost', message: 'is -1', expected: 'a whole number of at least 0' },
    {
      path: 'limits.rate.window',
      message: 'is "1500ms"',
      expected: 'a duration in whole seconds, such as 10s, 1m or 1h',
    },
    {
      path: 'limits.rate.key',
      message: 'is "header:content-type"',
      expected: 'identity, address, or header:NAME with a header name, such as header:x-api-key',
    },
  ]);
});
