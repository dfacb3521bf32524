import { expect, test } from '@jest/globals';
import { LatencyHistogram } from '../../../gateway/insights/latencyHistogram.ts';
import { createRandom } from '../../../subgraphs/shared/random.ts';

test('merged histograms of several processes have exactly the quantiles of one histogram, within 5 % of the latencies', () => {
  const random = createRandom(1);
  const parts = Array.from({ length: 4 }, () => new LatencyHistogram());
  const one = new LatencyHistogram();
  const all: number[] = [];
  for (let n = 0; n < 4_000; n++) {
    const ms = 1 + 999 * random.next() ** 3;
    all.push(ms);
    random.pick(parts).observe(ms);
    one.observe(ms);
  }
  all.sort((a, b) => a - b);
  const sent = parts.map((part) => LatencyHistogram.from(JSON.parse(JSON.stringify(part))));
  const merged = sent.reduce((sum, part) => sum.merge(part), new LatencyHistogram());
  expect([merged.count, merged.summary()]).toEqual([4_000, one.summary()]);
  for (const q of [0.01, 0.5, 0.95, 0.99, 1]) {
    const exact = all[Math.ceil(q * all.length) - 1] as number;
    expect([q, Math.abs((merged.quantile(q) as number) / exact - 1) <= 0.0501]).toEqual([q, true]);
  }
  const empty = new LatencyHistogram();
  expect(LatencyHistogram.from(JSON.parse(JSON.stringify(empty))).summary()).toBeNull();
});
