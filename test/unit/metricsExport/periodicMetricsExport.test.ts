import { expect, test } from '@jest/globals';
import { ExportResultCode } from '@opentelemetry/core';
import type { ResourceMetrics } from '@opentelemetry/sdk-metrics';
import {
  exportIntervalMs,
  PeriodicMetricsExport,
} from '../../../gateway/metricsExport/periodicMetricsExport.ts';
import type { OtlpExportResult } from '../../../gateway/tracing/otlpExporter.ts';
import { FakeTimers } from '../../harness/fakeTimers.ts';
import { waitForTurns } from '../../harness/waitForTurns.ts';

const taken = { code: ExportResultCode.SUCCESS };
const refused = { code: ExportResultCode.FAILED, error: new Error('status 401') };

// As Node.js reports it for a host name with several addresses, such as `localhost`: without a message of its own.
const unreachable = {
  code: ExportResultCode.FAILED,
  error: new AggregateError([new Error('refused by ::1'), new Error('refused by 127.0.0.1')]),
};

/** An export to a collector that the test answers for. */
function started() {
  const timers = new FakeTimers();
  const log: string[] = [];
  const open: ((result: OtlpExportResult) => void)[] = [];
  const metricsExport = new PeriodicMetricsExport({
    exporter: {
      export: (_, end) => {
        log.push('export');
        open.push(end);
      },
      shutdown: async () => void log.push('shutdown'),
    },
    timers,
    collect: async () => ({}) as ResourceMetrics,
    onOutage: (reason) => log.push(`outage: ${reason}`),
    onRecovery: (failed) => log.push(`recovered after ${failed}`),
  });
  const pass = async (ms: number): Promise<void> => {
    timers.advance(ms);
    await waitForTurns();
  };
  const answer = async (result: OtlpExportResult): Promise<void> => {
    open.shift()?.(result);
    await waitForTurns();
  };
  return { metricsExport, log, pass, answer };
}

test('Metrics are exported once a minute, and never while an export is under way', async () => {
  const { log, pass, answer } = started();
  await pass(exportIntervalMs - 1);
  expect(log).toEqual([]);
  await pass(1);
  await pass(10 * exportIntervalMs);
  expect(log).toEqual(['export']);
  await answer(taken);
  await pass(exportIntervalMs);
  expect(log).toEqual(['export', 'export']);
});

test('An outage of the collector is reported once, and its end with the number of failed exports', async () => {
  const { log, pass, answer } = started();
  for (const result of [refused, refused, taken, taken]) {
    await pass(exportIntervalMs);
    await answer(result);
  }
  expect(log.filter((line) => line !== 'export')).toEqual(['outage: status 401', 'recovered after 2']);
});

test('An outage names why each address of the collector cannot be reached', async () => {
  const { log, pass, answer } = started();
  await pass(exportIntervalMs);
  await answer(unreachable);
  expect(log).toEqual(['export', 'outage: refused by ::1; refused by 127.0.0.1']);
});

test('A collector that rejects data points of the metrics that it takes is an outage', async () => {
  const { log, pass, answer } = started();
  for (const result of [{ ...taken, partialSuccess: { rejected: 3, message: 'quota' } }, taken]) {
    await pass(exportIntervalMs);
    await answer(result);
  }
  expect(log.filter((line) => line !== 'export')).toEqual([
    'outage: The collector has rejected 3 data points. Its message: quota',
    'recovered after 1',
  ]);
});

test('Closing exports the final counts, and gives up in time when the collector does not answer', async () => {
  const { metricsExport, log, answer } = started();
  const closed = metricsExport.close(1_000);
  await waitForTurns();
  await answer(taken);
  await closed;
  expect(log).toEqual(['export', 'shutdown']);

  const slow = started();
  const closing = slow.metricsExport.close(1_000);
  await slow.pass(1_000);
  await closing;
  await slow.pass(10 * exportIntervalMs);
  expect(slow.log).toEqual(['export']);
});
