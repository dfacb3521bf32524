import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Counter, Gauge, Registry } from 'prom-client';
import {
  MetricsDirectory,
  type MetricsSnapshot,
  mergeMetrics,
} from '../../../gateway/telemetry/metricsDirectory.ts';
import { BucketCounts, registerHistogram } from '../../../gateway/telemetry/registerHistogram.ts';

let path = '';
beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), 'tributary-metrics-'));
});
afterEach(() => rm(path, { recursive: true }));

async function snapshotOf(count: number): Promise<MetricsSnapshot> {
  const registry = new Registry();
  const registers = [registry];
  new Counter({ name: 'calls_total', help: 'Calls.', labelNames: ['kind'], registers }).inc(
    { kind: 'a' },
    count,
  );
  new Gauge({ name: 'running', help: 'Running.', registers }).set(count);
  new Gauge({ name: 'worst', help: 'Worst.', aggregator: 'max', registers }).set(count);
  const seconds = new BucketCounts([1, 2]);
  for (let observed = 0; observed < count; observed++) seconds.observe(observed);
  registerHistogram(registry, {
    name: 'seconds',
    help: 'Seconds.',
    labelNames: ['kind'],
    read: (add) => add({ kind: 'a' }, seconds),
  });
  return registry.getMetricsAsJSON();
}

const samplesOf = async (snapshots: readonly MetricsSnapshot[]): Promise<readonly string[]> =>
  (await mergeMetrics(snapshots).metrics())
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));

test('counters and histograms of processes are added up, and gauges too unless they say otherwise', async () => {
  expect(await samplesOf([await snapshotOf(4), await snapshotOf(1)])).toEqual([
    'calls_total{kind="a"} 5',
    'running 5',
    'worst 4',
    'seconds_bucket{kind="a",le="1"} 3',
    'seconds_bucket{kind="a",le="2"} 4',
    'seconds_bucket{kind="a",le="+Inf"} 5',
    'seconds_sum{kind="a"} 6',
    'seconds_count{kind="a"} 5',
  ]);
});

test('the newest counts of a worker are kept, in any order of writing, and none of its gauges', async () => {
  const directory = new MetricsDirectory(path);
  await directory.write('1', 2, await snapshotOf(4));
  await directory.write('1', 1, await snapshotOf(2));
  await directory.write('2', 1, await snapshotOf(1));
  expect(await samplesOf(await directory.read(new Set(['2'])))).toEqual([
    'calls_total{kind="a"} 4',
    'seconds_bucket{kind="a",le="1"} 2',
    'seconds_bucket{kind="a",le="2"} 3',
    'seconds_bucket{kind="a",le="+Inf"} 4',
    'seconds_sum{kind="a"} 6',
    'seconds_count{kind="a"} 4',
  ]);
});

test('workers that have ended share one file, and count once even if their counts are stored again', async () => {
  const directory = new MetricsDirectory(path);
  for (const worker of ['1', '2', '3']) await directory.write(worker, 5, await snapshotOf(1));
  const before = await samplesOf(await directory.read(new Set()));
  await directory.fold('1');
  await directory.fold('2');
  await directory.fold('2');
  await directory.fold('9');
  expect((await readdir(path)).sort()).toEqual(['ended-2.json', 'worker-3-5.json']);
  await directory.write('1', 6, await snapshotOf(1));
  expect(await samplesOf(await directory.read(new Set()))).toEqual(before);
});
