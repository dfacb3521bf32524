import type { Histogram, Registry } from 'prom-client';
import type { MetricSample } from './metricsSnapshot.ts';

/** The counts of one series of a histogram, as plain numbers: an observation allocates nothing. */
export class BucketCounts {
  /** Upper bounds of the buckets, ascending. */
  readonly bounds: readonly number[];
  /** Observations of each bucket alone; the last element has those above all bounds. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const { bounds, counts } = this;
    let bucket = 0;
    while (bucket < bounds.length && value > (bounds[bucket] as number)) bucket += 1;
    counts[bucket] = (counts[bucket] as number) + 1;
    this.sum += value;
  }
}

interface HistogramOptions<Label extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly Label[];
  readonly read: (add: (labels: Readonly<Record<Label, string>>, counts: BucketCounts) => void) => void;
}

/** Registers a histogram whose counts are plain numbers elsewhere. `read` adds its series for each scrape. prom-client's
 *  own histogram hashes the labels of every observation. */
export function registerHistogram<Label extends string>(
  registry: Registry,
  { name, help, labelNames, read }: HistogramOptions<Label>,
): void {
  const get = (): Promise<object> => {
    const values: MetricSample[] = [];
    read((labels, counts) => values.push(...samplesOf(name, labels, counts)));
    return Promise.resolve({ name, help, type: 'histogram', aggregator: 'sum', values });
  };
  const metric = {
    name,
    help,
    type: 'histogram',
    aggregator: 'sum',
    labelNames,
    get,
    reset: () => undefined,
  };
  // The registry uses these members only.
  registry.registerMetric(metric as unknown as Histogram);
}

function* samplesOf(
  name: string,
  labels: Readonly<Record<string, string>>,
  { bounds, counts, sum }: BucketCounts,
): Generator<MetricSample> {
  let count = 0;
  for (const [index, own] of counts.entries()) {
    count += own;
    yield { metricName: `${name}_bucket`, labels: { ...labels, le: bounds[index] ?? '+Inf' }, value: count };
  }
  yield { metricName: `${name}_sum`, labels, value: sum };
  yield { metricName: `${name}_count`, labels, value: count };
}
