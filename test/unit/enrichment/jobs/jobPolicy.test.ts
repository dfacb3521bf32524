import { expect, test } from '@jest/globals';
import { retryDelayMs } from '../../../../gateway/enrichment/jobs/jobPolicy.ts';

test.each([
  [1, 500],
  [2, 1_000],
  [3, 2_000],
  [6, 10_000],
  [1_000, 10_000],
])('retryDelayMs after %d failed attempts is at most %d ms', (failedAttempts, longest) => {
  const backoff = { base: 500, max: 10_000 };
  expect([0, 0.5, 1].map((random) => retryDelayMs(failedAttempts, backoff, () => random))).toEqual([
    0,
    longest / 2,
    longest,
  ]);
});
