import { expect, test } from '@jest/globals';
import { HedgePolicy } from '../../../../gateway/subgraphs/policies/hedgePolicy.ts';
import { FakeTimers } from '../../../harness/fakeTimers.ts';

test('calls are hedged a quarter after the percentile of the latencies', () => {
  const policy = new HedgePolicy({ after: 'p95', budgetRatio: 1 }, new FakeTimers().now);
  for (let n = 1; n < 100; n++) policy.onResponse(n);
  expect(policy.delayMs).toBeUndefined();
  policy.onResponse(100);
  expect(policy.delayMs).toBe(95 * 1.25);
});

test('the percentile follows the latest latencies', () => {
  const policy = new HedgePolicy({ after: 'p50', budgetRatio: 1 }, new FakeTimers().now);
  for (let n = 0; n < 512; n++) policy.onResponse(8);
  for (let n = 0; n < 512; n++) policy.onResponse(16);
  expect(policy.delayMs).toBe(20);
});

test('a fixed delay needs no latencies', () => {
  const policy = new HedgePolicy({ after: 30, budgetRatio: 1 }, new FakeTimers().now);
  policy.onResponse(1);
  expect(policy.delayMs).toBe(30);
});

test('with one slow call in a hundred, far fewer calls than the budget of 5 % are slow enough to be hedged', () => {
  const policy = new HedgePolicy({ after: 'p95', budgetRatio: 0.05 }, new FakeTimers().now);
  const latencies = Array.from({ length: 1_000 }, (_, n) => (n % 100 === 0 ? 500 : 10 + (n % 7) / 10));
  for (const latency of latencies) policy.onResponse(latency);
  const hedged = latencies.filter((latency) => latency > (policy.delayMs ?? 0));
  expect(hedged.length).toBe(10);
});
