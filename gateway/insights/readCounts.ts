import type { Metrics } from '../telemetry/metrics.ts';
import type { CumulativeCounts } from './timeSeries.ts';

interface MetricCounts extends CumulativeCounts {
  /** Unfinished enrichment jobs in this process. */
  readonly backlog: number;
}

/** Reads what other features count in their metrics. */
export async function readCounts(registry: Metrics['registry']): Promise<MetricCounts> {
  const [lookups, enrichments, jobs] = await Promise.all([
    sumByOutcome(registry, 'tributary_cache_lookups_total'),
    sumByOutcome(registry, 'tributary_enrichment_answers_total'),
    sumByOutcome(registry, 'tributary_enrichment_jobs'),
  ]);
  return {
    cache: { hits: lookups('hit'), stale: lookups('stale'), misses: lookups('miss') },
    budgets: {
      inTime: enrichments('in_time'),
      stale: enrichments('stale'),
      missed: enrichments('incremental') + enrichments('pending') + enrichments('shadow_pending'),
    },
    backlog: jobs(undefined),
  };
}

/** Returns the sum of the metric's series with an outcome; `undefined` for series without one. */
async function sumByOutcome(
  registry: Metrics['registry'],
  name: string,
): Promise<(outcome: string | undefined) => number> {
  const sums = new Map<unknown, number>();
  for (const { labels, value } of (await registry.getSingleMetric(name)?.get())?.values ?? []) {
    const { outcome } = labels as { readonly outcome?: unknown };
    sums.set(outcome, (sums.get(outcome) ?? 0) + value);
  }
  return (outcome) => sums.get(outcome) ?? 0;
}
