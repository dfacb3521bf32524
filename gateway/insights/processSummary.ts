import type { SubgraphState } from '../subgraphs/policies/callPolicies.ts';
import { roundMs } from '../time/roundMs.ts';
import type { SubgraphInsights } from './insightsData.ts';
import { LatencyHistogram, type LatencyHistogramData } from './latencyHistogram.ts';
import type { RecentCalls } from './subgraphCalls.ts';
import { SubgraphShares, type SubgraphSharesData, shareOf } from './subgraphShares.ts';
import { type PointState, type PointStateData, readPoint } from './timeSeries.ts';

/** What one process has recorded, without the details of operations. */
export interface ProcessSummary {
  /** Milliseconds since 1970. */
  readonly startedAt: number;
  /** By operation: the time that its answers took together, in milliseconds. */
  readonly totalsMs: readonly (readonly [key: string, totalMs: number])[];
  readonly unrecordedRequests: number;
  readonly calls: readonly RecentCalls[];
  readonly subgraphs: readonly ObservedState[];
  readonly shares: SubgraphShares;
  readonly series: readonly PointState[];
}

type ObservedState = Pick<SubgraphState, 'subgraph' | 'circuit' | 'concurrencyLimit' | 'running' | 'queued'>;

/** `ProcessSummary` as JSON. */
export interface ProcessSummaryData extends Omit<ProcessSummary, 'calls' | 'shares' | 'series'> {
  readonly calls: readonly (Omit<RecentCalls, 'latency'> & { readonly latency: LatencyHistogramData })[];
  readonly shares: SubgraphSharesData;
  readonly series: readonly PointStateData[];
}

export function readSummary({ calls, shares, series, ...rest }: ProcessSummaryData): ProcessSummary {
  return {
    ...rest,
    calls: calls.map((recent) => ({ ...recent, latency: LatencyHistogram.from(recent.latency) })),
    shares: SubgraphShares.from(shares),
    series: series.map(readPoint),
  };
}

/** Adds up the time of each operation in all processes. */
export function mergeTotals(summaries: readonly ProcessSummary[]): ReadonlyMap<string, number> {
  const totals = new Map<string, number>();
  for (const { totalsMs } of summaries)
    for (const [key, totalMs] of totalsMs) totals.set(key, (totals.get(key) ?? 0) + totalMs);
  return totals;
}

/** Describes the subgraphs by what all processes have recorded. `urls`: of the subgraphs of the supergraph; others were
 *  called before it was replaced. */
export function describeSubgraphs(
  summaries: readonly ProcessSummary[],
  urls: ReadonlyMap<string, string>,
): readonly SubgraphInsights[] {
  const shares = new SubgraphShares();
  for (const summary of summaries) shares.merge(summary.shares);
  const calls = Map.groupBy(
    summaries.flatMap((summary) => summary.calls),
    ({ subgraph }) => subgraph,
  );
  const states = Map.groupBy(
    summaries.flatMap(({ subgraphs }) => subgraphs),
    ({ subgraph }) => subgraph,
  );
  return [...new Set([...urls.keys(), ...states.keys()])].sort().map((name) => {
    const { answers, failures, gated, gatedSumMs } = shares.of(name);
    return {
      name,
      url: urls.get(name) ?? null,
      ...describeCalls(calls.get(name) ?? []),
      ...describeStates(states.get(name) ?? []),
      errorShare: shareOf(failures, answers),
      gatedShare: shareOf(gated, shares.recorded),
      gatedMs: gated === 0 ? 0 : roundMs(gatedSumMs / gated),
    };
  });
}

function describeCalls(
  recent: readonly RecentCalls[],
): Pick<SubgraphInsights, 'callsPerSecond' | 'failureShare' | 'latency'> {
  const latency = new LatencyHistogram();
  let [perSecond, count, failures] = [0, 0, 0];
  for (const calls of recent) {
    latency.merge(calls.latency);
    perSecond += (calls.count / calls.elapsedMs) * 1_000;
    count += calls.count;
    failures += calls.failures;
  }
  return {
    callsPerSecond: Math.round(perSecond * 100) / 100,
    failureShare: shareOf(failures, count),
    latency: latency.summary(),
  };
}

function describeStates(
  states: readonly ObservedState[],
): Pick<SubgraphInsights, 'breaker' | 'queued' | 'running' | 'concurrencyLimit'> {
  const sum = (read: (state: ObservedState) => number): number =>
    states.reduce((total, state) => total + read(state), 0);
  const circuits = new Set(states.map(({ circuit }) => circuit));
  return {
    breaker: (['open', 'half-open', 'closed'] as const).find((state) => circuits.has(state)) ?? null,
    queued: sum(({ queued }) => queued),
    running: sum(({ running }) => running),
    concurrencyLimit: states.length === 0 ? null : sum(({ concurrencyLimit }) => concurrencyLimit),
  };
}
