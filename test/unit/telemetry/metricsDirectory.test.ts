import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, expect, test } from '@jest/globals';
import { Counter, Gauge, Registry } from 'prom-client';
import { mergeMetrics } from '../../../gateway/telemetry/mergeMetrics.ts';
import { MetricsDirectory } from '../../../gateway/telemetry/metricsDirectory.ts';
import { type MetricsSnapshot, stringifyMetrics } from '../../../gateway/telemetry/metricsSnapshot.ts';
import { BucketCounts, registerHistogram } from '../../../gateway/telemetry/registerHistogram.ts';
import { runToCompletion } from '../../../gateway/time/slicedTask.ts';
import { createTemporaryDirectory } from '../../harness/suiteResources.ts';

let path = '';
beforeEach(() => {
  path = createTemporaryDirectory();
});

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

/** Stores a snapshot of a worker. */
const store = async (directory: MetricsDirectory, worker: string, sequence: number, count: number) =>
  directory.write(worker, sequence, await stringifyMetrics({ metrics: await snapshotOf(count) }));

const samplesOf = async (snapshots: readonly MetricsSnapshot[]): Promise<readonly string[]> =>
  (await runToCompletion(mergeMetrics(snapshots)).metrics())
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

test('gauges of processes that cannot be added up are those of the worst process', async () => {
  const loop = (aggregator: string, value: number): MetricsSnapshot[number] =>
    ({
      name: `lag_${aggregator}`,
      help: '',
      type: 'gauge',
      aggregator,
      values: [{ value, labels: {} }],
    }) as never;
  const aggregators = ['average', 'max', 'min', 'first', 'omit'];
  const merge = (values: readonly (number | null)[]) =>
    samplesOf(values.map((value) => aggregators.map((aggregator) => loop(aggregator, value as number))));
  expect(await merge([4, 1, 9])).toEqual(['lag_average 9', 'lag_max 9', 'lag_min 1', 'lag_first 4']);
  // Without a value yet: of the process that is scraped, and as JSON of another one.
  expect(await merge([Number.NaN, 4, null, 1])).toEqual([
    'lag_average 4',
    'lag_max 4',
    'lag_min 1',
    'lag_first 4',
  ]);
});

test('samples of processes that set their labels in another order are added up', async () => {
  const counter = (labels: object): MetricsSnapshot[number] =>
    ({
      name: 'calls',
      help: '',
      type: 'counter',
      aggregator: 'sum',
      values: [{ value: 1, labels }],
    }) as never;
  const snapshots = [[counter({ a: 1, b: 2 })], [counter({ b: 2, a: 1 })], [counter({ a: 2, b: 1 })]];
  expect(await samplesOf(snapshots)).toEqual(['calls{a="1",b="2"} 2', 'calls{a="2",b="1"} 1']);
});

test('thousands of series are merged in slices of the event loop', () => {
  const values = Array.from({ length: 10_000 }, (_, index) => ({
    value: 1,
    labels: { operation: `${index}` },
  }));
  const counter = { name: 'calls', help: '', type: 'counter', aggregator: 'sum', values } as never;
  const task = mergeMetrics([[counter], [counter]]);
  let slices = 1;
  while (task.next().done !== true) slices += 1;
  expect(slices).toBe(201);
});

test('the newest counts of a worker are kept, in any order of writing, and none of its gauges', async () => {
  const directory = new MetricsDirectory(path);
  await store(directory, '1', 2, 4);
  await store(directory, '1', 1, 2);
  await store(directory, '2', 1, 1);
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
  for (const worker of ['1', '2', '3']) await store(directory, worker, 5, 1);
  const before = await samplesOf(await directory.read(new Set()));
  await directory.fold('1');
  await directory.fold('2');
  await directory.fold('2');
  await directory.fold('9');
  expect((await readdir(path)).sort()).toEqual(['ended-2.json', 'worker-3-5.json']);
  await store(directory, '1', 6, 1);
  expect(await samplesOf(await directory.read(new Set()))).toEqual(before);
});

test('workers that have ended have a limited number of operations together, and lose no count', async () => {
  const directory = new MetricsDirectory(path, 3);
  const endWorker = async (worker: string, operations: readonly string[]) => {
    const registry = new Registry();
    const registers = [registry];
    const labelNames = ['operation', 'outcome'];
    const requests = new Counter({ name: 'requests_total', help: 'Requests.', labelNames, registers });
    for (const operation of operations) requests.inc({ operation, outcome: 'ok' });
    new Counter({ name: 'calls_total', help: 'Calls.', labelNames: ['kind'], registers }).inc({ kind: 'a' });
    await directory.write(worker, 1, await stringifyMetrics({ metrics: await registry.getMetricsAsJSON() }));
    await directory.fold(worker);
  };
  await endWorker('1', ['A', 'B', 'other']);
  await endWorker('2', ['B', 'C', 'D', 'other']);
  await endWorker('3', ['E', 'F', 'A']);
  expect(await samplesOf(await directory.read(new Set()))).toEqual([
    'requests_total{operation="A",outcome="ok"} 2',
    'requests_total{operation="B",outcome="ok"} 2',
    'requests_total{operation="other",outcome="ok"} 5',
    'requests_total{operation="C",outcome="ok"} 1',
    'calls_total{kind="a"} 3',
  ]);
});

test('workers that have ended at the same time are all counted, although the counts of one cannot be read', async () => {
  const directory = new MetricsDirectory(path);
  for (const worker of ['1', '2', '4']) await store(directory, worker, 1, 1);
  const before = await samplesOf(await directory.read(new Set()));
  await writeFile(join(path, 'worker-3-1.json'), 'nonsense');
  const folded = await Promise.allSettled(['1', '2', '3', '4'].map((worker) => directory.fold(worker)));
  expect(folded.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
  await rm(join(path, 'worker-3-1.json'));
  expect(await readdir(path)).toEqual(['ended-3.json']);
  expect(await samplesOf(await directory.read(new Set()))).toEqual(before);
});

test('counts that cannot be stored leave no part of a file behind', async () => {
  // A file cannot replace a directory.
  await mkdir(join(path, 'worker-1-1.json'));
  await expect(store(new MetricsDirectory(path), '1', 1, 1)).rejects.toThrow('EISDIR');
  expect(await readdir(path)).toEqual(['worker-1-1.json']);
});
