import { expect, test } from '@jest/globals';
import { SupervisorMetrics } from '../../../gateway/cli/supervisorMetrics.ts';
import type { MetricsDirectory } from '../../../gateway/telemetry/metricsDirectory.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';

test('counts that could not be stored are stored later, with those that were added meanwhile', async () => {
  const timers = new FakeTimers();
  const stored: unknown[] = [];
  let isFull = true;
  const written = Promise.withResolvers<void>();
  const write: MetricsDirectory['write'] = async (_worker, sequence, snapshot) => {
    if (isFull) throw new Error('ENOSPC');
    const [{ values }] = JSON.parse(snapshot).metrics;
    stored.push([sequence, values.map(({ value }: { value: number }) => value)]);
    written.resolve();
  };
  const metrics = new SupervisorMetrics({ write } as MetricsDirectory, timers);
  await timers.waitForTimer(10_000);
  metrics.countReplacement('unresponsive');
  await timers.waitForTimer(10_000);
  expect(timers.pendingMs()).toEqual([10_000]);
  isFull = false;
  timers.fire(10_000);
  await written.promise;
  expect(stored).toEqual([[3, [0, 1, 0]]]);
  expect(timers.pendingMs()).toEqual([]);
});
