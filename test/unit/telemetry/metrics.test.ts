import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';
import { register } from 'prom-client';
import { CacheMetrics } from '../../../gateway/cache/cacheMetrics.ts';
import { createMetrics } from '../../../gateway/telemetry/metrics.ts';

const nothing = { problems: () => new Map(), memory: () => ({ bytes: 0, entries: 0 }) };

function samplesOf(text: string, name: string): string[] {
  return text.split('\n').filter((line) => line.startsWith(name));
}

test('gateways of one process count apart', async () => {
  const metrics = [createMetrics(), createMetrics()];
  const caches = metrics.map(({ registry }) => new CacheMetrics({ registry, ...nothing }));
  caches[0]?.onInvalidated({ by: 'admin', deleted: 3 });
  caches[1]?.onInvalidated({ by: 'admin', deleted: 5 });
  const texts = await Promise.all(metrics.map((each) => each.text()));
  expect(texts.map((text) => samplesOf(text, 'tributary_cache_invalidated'))).toEqual([
    ['tributary_cache_invalidated_entries_total{by="admin"} 3'],
    ['tributary_cache_invalidated_entries_total{by="admin"} 5'],
  ]);
});

test('the process is described in the metrics of each, once', async () => {
  const [first, second] = [createMetrics(), createMetrics()];
  for (const text of [await first.text(), await second.text(), await first.text()]) {
    expect(samplesOf(text, 'process_cpu_seconds_total ')).toHaveLength(1);
    expect(samplesOf(text, '# TYPE nodejs_eventloop_lag_p99_seconds ')).toHaveLength(1);
  }
});

test('nothing is left in the registry that prom-client shares with everybody', async () => {
  const { registry, text } = createMetrics();
  new CacheMetrics({ registry, ...nothing });
  await text();
  expect(register.getMetricsAsArray()).toEqual([]);
});

test('a text ends with a line end and has no line twice', async () => {
  const { registry, text } = createMetrics();
  new CacheMetrics({ registry, ...nothing });
  const all = await text();
  expect(all.endsWith('\n')).toBe(true);
  const types = all.split('\n').filter((line) => line.startsWith('# TYPE '));
  expect(new Set(types).size).toBe(types.length);
});

test('metrics that were asked for do not keep a process running', async () => {
  const file = join(import.meta.dirname, '../../../gateway/telemetry/metrics.ts');
  const program = `import { createMetrics } from ${JSON.stringify(file)};
    const text = await createMetrics().text();
    console.log(text.includes('nodejs_gc_duration_seconds'), process.getActiveResourcesInfo().includes('Timeout'));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
    timeout: 15_000,
  });
  expect(stdout).toBe('true false\n');
});
