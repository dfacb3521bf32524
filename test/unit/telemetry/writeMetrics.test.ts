import { expect, test } from '@jest/globals';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import { writeMetrics } from '../../../gateway/telemetry/writeMetrics.ts';

function registryWith(operations: number): Registry {
  const registry = new Registry();
  const registers = [registry];
  const labelNames = ['operation'];
  const seconds = new Histogram({
    name: 'seconds',
    help: 'Duration.',
    labelNames,
    buckets: [0.1, 1],
    registers,
  });
  const total = new Counter({ name: 'total', help: 'Requests.\nAll.', labelNames, registers });
  new Gauge({ name: 'unused', help: 'Nothing.', labelNames, registers });
  for (let index = 0; index < operations; index += 1) {
    const labels = { operation: `Operation"${index}"` };
    seconds.observe(labels, index / 100);
    total.inc(labels, index);
  }
  return registry;
}

test.each([0, 1, 1_000])('metrics of %d operations are written as prom-client writes them', async (count) => {
  const registry = registryWith(count);
  expect(await writeMetrics(registry)).toBe(await registry.metrics());
});

test('other tasks run between the samples of one large metric', async () => {
  const registry = registryWith(2_000);
  let turns = 0;
  const countTurn = (): void => {
    turns += 1;
    next = setImmediate(countTurn);
  };
  let next = setImmediate(countTurn);
  await writeMetrics(registry);
  clearImmediate(next);
  // 2,000 counts, and as many histograms with three buckets, a sum and a count.
  expect(turns).toBeGreaterThan(20);
});
