import { describe, expect, test } from '@jest/globals';
import { callLimitsOf } from '../../../../gateway/subgraphs/policies/callLimits.ts';

describe('the limits of a subgraph', () => {
  const endpoint = {
    url: 'http://reviews.internal/graphql',
    attemptTimeoutMs: 1,
    maxResponseBytes: 1,
    connections: 10,
    http2: true,
  };
  const https = 'https://reviews.internal/graphql';

  test.each([
    ['connections of both kinds', {}, { total: 20, primary: 10, deferred: 10 }],
    ['streams of HTTP/2', { url: https }, { total: 2_000, primary: 1_000, deferred: 1_000 }],
    ['connections without HTTP/2', { url: https, http2: false }, { total: 20, primary: 10, deferred: 10 }],
  ])('are %s by default', (_, more, expected) => {
    expect(callLimitsOf({ ...endpoint, ...more })).toEqual({
      ...expected,
      queued: Number.POSITIVE_INFINITY,
    });
  });

  test.each([
    [1, { total: 1, primary: 1, deferred: 1 }],
    [5, { total: 5, primary: 5, deferred: 2 }],
    [15, { total: 15, primary: 10, deferred: 7 }],
    [100, { total: 100, primary: 10, deferred: 10 }],
  ])('of %d calls leave half of them for first responses', (max, expected) => {
    expect(callLimitsOf({ ...endpoint, concurrency: { max, queue: 7 } })).toEqual({
      ...expected,
      queued: 7,
    });
  });
});
