import { type Attributes, type HrTime, ValueType } from '@opentelemetry/api';
import { millisToHrTime } from '@opentelemetry/core';
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type Histogram,
  type MetricData,
} from '@opentelemetry/sdk-metrics';
import { getOrInsertComputed } from '../sharing/getOrInsertComputed.ts';
import type { MetricSample, MetricsSnapshot, SnapshotMetric } from '../telemetry/metricsSnapshot.ts';

/** When the counts began and when they were read, in milliseconds since 1970. */
interface CountedPeriod {
  readonly startedAt: number;
  readonly readAt: number;
}

/** Converts metrics to OpenTelemetry's form. Counts are cumulative. */
export function toMetricData(metrics: MetricsSnapshot, { startedAt, readAt }: CountedPeriod): MetricData[] {
  const times = { startTime: millisToHrTime(startedAt), endTime: millisToHrTime(readAt) };
  return metrics.map((metric): MetricData => {
    const samples = metric.values as readonly MetricSample[];
    const common = {
      descriptor: descriptorOf(metric),
      aggregationTemporality: AggregationTemporality.CUMULATIVE,
    };
    if (typeOf(metric) === 'histogram') {
      return {
        ...common,
        dataPointType: DataPointType.HISTOGRAM,
        dataPoints: toHistogramPoints(metric.name, samples, times),
      };
    }
    const dataPoints = samples.map(({ labels, value }) => ({
      ...times,
      attributes: toAttributes(metric.name, labels),
      value,
    }));
    return typeOf(metric) === 'counter'
      ? { ...common, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints }
      : { ...common, dataPointType: DataPointType.GAUGE, dataPoints };
  });
}

function typeOf({ type }: SnapshotMetric): string {
  return String(type);
}

const units: Readonly<Record<string, string>> = { seconds: 's', bytes: 'By' };

/** Prometheus translates the name back into that of `GET /metrics`, because it appends the unit and `_total`. */
function descriptorOf(metric: SnapshotMetric): MetricData['descriptor'] {
  const counted = typeOf(metric) === 'counter' ? metric.name.replace(/_total$/, '') : metric.name;
  const [, base = counted, suffix = ''] = /^(.+)_(seconds|bytes)$/.exec(counted) ?? [];
  return {
    name: base.replace('_', '.'),
    description: metric.help,
    unit: units[suffix] ?? '',
    valueType: ValueType.DOUBLE,
  };
}

/** Labels with the same meaning as in the semantic conventions for GraphQL get their names; the others are named as the
 *  attributes of spans are. */
function toAttributes(metricName: string, labels: MetricSample['labels']): Attributes {
  if (!metricName.startsWith('tributary_')) return { ...labels };
  const isOfOperation = labels.operation !== undefined;
  return Object.fromEntries(
    Object.entries(labels).map(([name, value]) => [
      (isOfOperation ? operationAttributes[name] : undefined) ?? `tributary.${name}`,
      value,
    ]),
  );
}

const operationAttributes: Readonly<Record<string, string>> = {
  operation: 'graphql.operation.name',
  type: 'graphql.operation.type',
};

interface Series {
  readonly labels: MetricSample['labels'];
  readonly boundaries: number[];
  /** Observations up to each boundary, and of all. */
  readonly cumulative: number[];
  sum: number;
}

function toHistogramPoints(
  name: string,
  samples: readonly MetricSample[],
  times: { readonly startTime: HrTime; readonly endTime: HrTime },
): DataPoint<Histogram>[] {
  const all = new Map<string, Series>();
  for (const { metricName, labels, value } of samples) {
    const key = keyOf(labels);
    const series = getOrInsertComputed(all, key, () => {
      const { le: _, ...own } = labels;
      return { labels: own, boundaries: [], cumulative: [], sum: 0 };
    });
    const { le } = labels;
    if (metricName === `${name}_sum`) series.sum = value;
    if (le === undefined) continue;
    if (le !== '+Inf') series.boundaries.push(Number(le));
    series.cumulative.push(value);
  }
  return Array.from(all.values(), ({ labels, boundaries, cumulative, sum }) => ({
    ...times,
    attributes: toAttributes(name, labels),
    value: {
      buckets: { boundaries, counts: cumulative.map((count, index) => count - (cumulative[index - 1] ?? 0)) },
      count: cumulative.at(-1) ?? 0,
      sum,
    },
  }));
}

/** Equal for the samples of one series, which have their labels in the same order. */
function keyOf(labels: MetricSample['labels']): string {
  let key = '';
  for (const name in labels) if (name !== 'le') key += `${labels[name]}\0`;
  return key;
}
