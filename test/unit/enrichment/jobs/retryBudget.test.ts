import { expect, test } from '@jest/globals';
import { retryDelayMs } from '../../../../gateway/enrichment/jobs/jobPolicy.ts';
import { RetryBudget } from '../../../../gateway/enrichment/jobs/retryBudget.ts';

function budgetWithClock(ratio = 0.2) {
  const clock = { now: 0 };
  const budget = new RetryBudget({ ratio, now: () => clock.now });
  const takeAll = (): number => {
    let taken = 0;
    while (budget.tryTake()) taken += 1;
    return taken;
  };
  return { budget, clock, takeAll };
}

test('RetryBudget allows ten retries per second without any job, and renews them after ten seconds', () => {
  const { clock, takeAll } = budgetWithClock();
  expect(takeAll()).toBe(100);
  clock.now = 9_999;
  expect(takeAll()).toBe(0);
  clock.now = 10_000;
  expect(takeAll()).toBe(100);
});

test('RetryBudget adds the share of a job for ten seconds', () => {
  const { budget, clock, takeAll } = budgetWithClock();
  for (let job = 0; job < 100; job++) budget.recordJob();
  clock.now = 5_000;
  expect(takeAll()).toBe(120);
  clock.now = 10_000;
  // The share of the jobs has expired, and the retries have not.
  expect(takeAll()).toBe(0);
  clock.now = 15_000;
  expect(takeAll()).toBe(100);
});

test('RetryBudget does not accumulate over an hour without retries', () => {
  const { clock, takeAll } = budgetWithClock();
  clock.now = 3_600_000;
  expect(takeAll()).toBe(100);
});

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
