import { expect, test } from '@jest/globals';
import { LatencyHistogram } from '../../../gateway/insights/latencyHistogram.ts';
import { createRandom } from '../../../subgraphs/shared/random.ts';

test('merged histograms have the quantiles of all latencies, within 5 %', () => {
  const random = createRandom(1);
  const parts = Array.from({ length: 4 }, () => new LatencyHistogram());
  const all: number[] = [];
  for (let n = 0; n < 4_000; n++) {
    const ms = 1 + 999 * random.next() ** 3;
    all.push(ms);
    random.pick(parts).observe(ms);
  }
  all.sort((a, b) => a - b);
  const merged = parts.reduce((sum, part) => sum.merge(part), new LatencyHistogram());
  expect(merged.count).toBe(4_000);
  for (const q of [0.01, 0.5, 0.95, 0.99, 1]) {
    const exact = all[Math.ceil(q * all.length) - 1] as number;
    expect([q, Math.abs((merged.quantile(q) as number) / exact - 1) <= 0.0501]).toEqual([q, true]);
  }
  expect(new LatencyHistogram().summary()).toBeNull();
});
