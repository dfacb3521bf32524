import { type Aggregator, Registry } from 'prom-client';
import type { SlicedTask } from '../time/slicedTask.ts';
import type { MetricSample, MetricsSnapshot, SnapshotMetric } from './metricsSnapshot.ts';

/** Merges metrics of several processes, as a sliced task: counts are added up, gauges by the `aggregator` of each. */
export function* mergeMetrics(snapshots: readonly MetricsSnapshot[]): SlicedTask<Registry> {
  const registry = new Registry();
  for (const metrics of Map.groupBy(snapshots.flat(), ({ name }) => name).values()) {
    const merged = yield* mergeMetric(metrics);
    // The registry uses these members only.
    if (merged !== undefined)
      registry.registerMetric({ ...merged, get: async () => merged } as unknown as Parameters<
        Registry['registerMetric']
      >[0]);
  }
  return registry;
}

/** Merged in about 0.1 ms. */
const samplesPerStep = 100;

/** `undefined` for a metric that processes cannot share. */
function* mergeMetric(metrics: readonly SnapshotMetric[]): SlicedTask<SnapshotMetric | undefined> {
  const [first] = metrics as [SnapshotMetric];
  const { aggregator } = first;
  if (aggregator === 'omit') return undefined;
  const combine = combinations[aggregator];
  const merged = new Map<string, { -readonly [Key in keyof MetricSample]: MetricSample[Key] }>();
  let count = 0;
  for (const { values } of metrics) {
    for (const sample of values as readonly MetricSample[]) {
      const key = keyOf(sample);
      const other = merged.get(key);
      if (other === undefined) merged.set(key, { ...sample });
      // A process that was just started or scraped has no delay of its event loop yet: NaN, which is null in JSON.
      else if (Number.isFinite(sample.value)) {
        other.value = Number.isFinite(other.value) ? combine(other.value, sample.value) : sample.value;
      }
      count += 1;
      if (count % samplesPerStep === 0) yield;
    }
  }
  return { ...first, values: [...merged.values()] };
}

/** By the names of prom-client. A mean of processes would hide one with a blocked event loop behind idle ones. */
const combinations: Readonly<Record<Exclude<Aggregator, 'omit'>, (one: number, other: number) => number>> = {
  sum: (one, other) => one + other,
  max: Math.max,
  min: Math.min,
  average: Math.max,
  first: (one) => one,
};

/** Equal for the samples of one series. Processes may have set the labels in another order. */
function keyOf({ metricName, labels }: MetricSample): string {
  let key = metricName ?? '';
  for (const name of Object.keys(labels).sort()) key += `\0${name}\0${labels[name]}`;
  return key;
}
