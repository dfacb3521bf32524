import type { Registry } from 'prom-client';
import { parseJsonInSlices } from '../json/parseJsonInSlices.ts';
import { stringifyToTextInSlices } from '../json/stringifyInSlices.ts';
import { resolveInSlices } from '../time/slicedTask.ts';

/** Metrics as JSON. */
export type MetricsSnapshot = Awaited<ReturnType<Registry['getMetricsAsJSON']>>;

export type SnapshotMetric = MetricsSnapshot[number];

/** An element of the `values` of a metric. */
export interface MetricSample {
  /** Of a histogram: the name of the metric with `_bucket`, `_sum` or `_count`. */
  readonly metricName?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/** `JSON.stringify` in slices of the event loop: with thousands of names of operations, metrics are megabytes. */
export function stringifyMetrics(content: { readonly metrics: MetricsSnapshot }): Promise<string> {
  return resolveInSlices(stringifyToTextInSlices(content));
}

/** `JSON.parse` in slices of the event loop. `text`: of `stringifyMetrics`. */
export function parseMetrics(text: Buffer): Promise<unknown> {
  return resolveInSlices(parseJsonInSlices(text, { maxDepth: 10 }));
}
