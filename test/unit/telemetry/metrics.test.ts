import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, jest, test } from '@jest/globals';
import { Counter, register } from 'prom-client';
import { CacheMetrics } from '../../../gateway/cache/cacheMetrics.ts';
import { mergeMetrics } from '../../../gateway/telemetry/mergeMetrics.ts';
import { addMetricsRoute, createMetrics } from '../../../gateway/telemetry/metrics.ts';
import { type MetricsSnapshot, stringifyMetrics } from '../../../gateway/telemetry/metricsSnapshot.ts';
import { runToCompletion } from '../../../gateway/time/slicedTask.ts';
import { startScriptedServer } from '../../harness/scriptedServer.ts';
import { createTemporaryDirectory } from '../../harness/suiteResources.ts';

const emptySources = { problems: () => new Map(), memory: () => ({ bytes: 0, entries: 0 }) };

function samplesOf(text: string, name: string): string[] {
  return text.split('\n').filter((line) => line.startsWith(name));
}

test('gateways in one process have separate metrics', async () => {
  const metrics = [createMetrics(), createMetrics()];
  const caches = metrics.map(({ registry }) => new CacheMetrics({ registry, ...emptySources }));
  caches[0]?.onInvalidated({ by: 'admin', deleted: 3 });
  caches[1]?.onInvalidated({ by: 'admin', deleted: 5 });
  const texts = await Promise.all(metrics.map(({ text }) => text()));
  expect(
    texts.map((text) => samplesOf(text, 'tributary_cache_invalidated_entries_total{by="admin"}')),
  ).toEqual([
    ['tributary_cache_invalidated_entries_total{by="admin"} 3'],
    ['tributary_cache_invalidated_entries_total{by="admin"} 5'],
  ]);
});

test('the metrics of every gateway contain each metric of the process once', async () => {
  const [first, second] = [createMetrics(), createMetrics()];
  for (const text of [await first.text(), await second.text(), await first.text()]) {
    expect(samplesOf(text, 'process_cpu_seconds_total ')).toHaveLength(1);
    expect(samplesOf(text, '# TYPE nodejs_eventloop_lag_p99_seconds ')).toHaveLength(1);
  }
});

test('reading the metrics calls no function of Node.js that can abort the process', async () => {
  const node = process as unknown as Record<'_getActiveHandles' | '_getActiveRequests', () => unknown[]>;
  const calls = [jest.spyOn(node, '_getActiveHandles'), jest.spyOn(node, '_getActiveRequests')];
  const text = await createMetrics().text();
  expect(calls.map((call) => call.mock.calls.length)).toEqual([0, 0]);
  expect(text).toContain('# TYPE nodejs_active_resources ');
  jest.restoreAllMocks();
});

test('file descriptors of several processes are those of the worst one, and their start is that of the newest one', async () => {
  const snapshot = await createMetrics().snapshot();
  const withValue = (value: number): MetricsSnapshot =>
    ['process_open_fds', 'process_max_fds', 'process_start_time_seconds'].map(
      (name) =>
        ({ ...snapshot.find((metric) => metric.name === name), values: [{ value, labels: {} }] }) as never,
    );
  const merged = await runToCompletion(mergeMetrics([withValue(7), withValue(3)])).metrics();
  expect(samplesOf(merged, 'process_')).toEqual([
    'process_open_fds 7',
    'process_max_fds 7',
    'process_start_time_seconds 7',
  ]);
});

test('no metric is registered in the global registry of prom-client', async () => {
  const { registry, text } = createMetrics();
  new CacheMetrics({ registry, ...emptySources });
  await text();
  expect(register.getMetricsAsArray()).toEqual([]);
});

test('the text of the metrics ends with a line break and declares each metric once', async () => {
  const { registry, text } = createMetrics();
  new CacheMetrics({ registry, ...emptySources });
  const metrics = await text();
  expect(metrics.endsWith('\n')).toBe(true);
  const types = metrics.split('\n').filter((line) => line.startsWith('# TYPE '));
  expect(new Set(types).size).toBe(types.length);
});

test('reading the metrics does not keep the process running', async () => {
  const file = join(import.meta.dirname, '../../../gateway/telemetry/metrics.ts');
  const program = `import { addMetricsRoute, createMetrics } from ${JSON.stringify(file)};
    const text = await createMetrics().text();
    console.log(text.includes('nodejs_gc_duration_seconds'), process.getActiveResourcesInfo().includes('Timeout'));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
    timeout: 15_000,
  });
  expect(stdout).toBe('true false\n');
});

test('GET /metrics returns the metrics on the admin listener and 404 on the public listener', async () => {
  await using server = await startScriptedServer(undefined, {
    addAdminRoutes: (routes) => addMetricsRoute(routes, createMetrics()),
  });
  const response = await fetch(`${server.adminUrl}/metrics`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
  expect(response.headers.get('cache-control')).toBe('no-store');
  expect(await response.text()).toMatch(/^process_resident_memory_bytes \d+$/m);
  const outside = await fetch(new URL('/metrics', server.url));
  expect(outside.status).toBe(404);
});

test('GET /metrics returns the metrics of all workers although they cannot be stored, which one warning says', async () => {
  const directory = createTemporaryDirectory();
  // Files cannot replace directories.
  for (const name of ['1-1', '1-2', '2-1', '2-2']) await mkdir(join(directory, `worker-${name}.json`));
  const other = createMetrics();
  const warnings: unknown[] = [];
  let sequence = 0;
  const metrics = createMetrics({
    workers: {
      worker: { name: '1', directory },
      handle: () => {},
      callOthers: async () => {
        sequence += 1;
        const answer = { sequence, metrics: await other.snapshot() };
        return { answers: new Map([['2', await stringifyMetrics(answer)]]), silent: 0 };
      },
    },
    log: { warn: (fields, message) => warnings.push([message, fields]) },
    now: Date.now,
  });
  for (const { registry } of [metrics, other])
    new Counter({ name: 'calls_total', help: 'Calls.', registers: [registry] }).inc(2);
  await using server = await startScriptedServer(undefined, {
    addAdminRoutes: (routes) => addMetricsRoute(routes, metrics),
  });
  for (let scrapes = 0; scrapes < 2; scrapes++) {
    const response = await fetch(`${server.adminUrl}/metrics`);
    expect([response.status, samplesOf(await response.text(), 'calls_total')]).toEqual([
      200,
      ['calls_total 4'],
    ]);
  }
  expect(warnings).toEqual([
    [
      'The metrics of the workers cannot be stored: the counts of a worker that ends are lost',
      expect.objectContaining({ directory, message: expect.stringContaining('EISDIR') }),
    ],
  ]);
});
