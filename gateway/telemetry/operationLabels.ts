import type { MetricSample, MetricsSnapshot, SnapshotMetric } from './metricsSnapshot.ts';

interface OperationLabelsOptions {
  /** `trusted`: names of trusted documents and contracts. `all`: the first names that clients send. `off`: none. */
  readonly mode: 'trusted' | 'all' | 'off';
  /** Whether the name is that of a trusted document, or of an operation of the contracts. */
  readonly isTrusted: (name: string) => boolean;
}

/** Maximum number of names with `all`. */
export const maxOperationNames = 500;

/** The label of operations without a label of their own. */
const otherOperations = 'other';

/** Chooses the operations that have metrics of their own. Clients choose names freely, so that their number is bounded. */
export class OperationLabels {
  readonly #options: OperationLabelsOptions;
  readonly #names = new Set<string>();

  constructor(options: OperationLabelsOptions) {
    this.#options = options;
  }

  labelOf(name: string | undefined): string {
    if (name === undefined) return otherOperations;
    const { mode, isTrusted } = this.#options;
    if (mode === 'trusted') return isTrusted(name) ? name : otherOperations;
    if (mode === 'off') return otherOperations;
    if (this.#names.has(name)) return name;
    if (this.#names.size >= maxOperationNames || name.length > maxLabelLength) return otherOperations;
    this.#names.add(name);
    return name;
  }
}

const maxLabelLength = 128;

/** Returns the metrics with at most `maxNames` operations: the first ones in the order of the snapshots. The samples of all
 *  further ones have the label of operations without one of their own; `mergeMetrics` adds them up. */
export function limitOperations(
  snapshots: readonly MetricsSnapshot[],
  maxNames: number,
): readonly MetricsSnapshot[] {
  const names = new Set<string | number>([otherOperations]);
  const limitSample = (sample: MetricSample): MetricSample => {
    const { operation } = sample.labels;
    if (operation === undefined || names.has(operation)) return sample;
    // `otherOperations` is one of the names, and does not count.
    if (names.size > maxNames) return { ...sample, labels: { ...sample.labels, operation: otherOperations } };
    names.add(operation);
    return sample;
  };
  return snapshots.map((metrics) =>
    metrics.map(
      (metric) =>
        ({
          ...metric,
          values: (metric.values as readonly MetricSample[]).map(limitSample),
        }) as SnapshotMetric,
    ),
  );
}
