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

/** The turns of the event loop that begin while the metrics are written. */
async function countTurns(registry: Registry): Promise<number> {
  let turns = 0;
  const countTurn = (): void => {
    turns += 1;
    next = setImmediate(countTurn);
  };
  let next = setImmediate(countTurn);
  await writeMetrics(registry);
  clearImmediate(next);
  return turns;
}

test('other tasks run between the samples of one large metric', async () => {
  // 2,000 counts, and as many histograms with three buckets, a sum and a count.
  expect(await countTurns(registryWith(2_000))).toBeGreaterThan(20);
});

test('many small metrics are written in one turn, because turns are long while the gateway is overloaded', async () => {
  const registry = new Registry();
  for (let index = 0; index < 100; index++)
    new Gauge({ name: `gauge_${index}`, help: 'A gauge.', registers: [registry] }).set(index);
  expect(await countTurns(registry)).toBe(0);
});
