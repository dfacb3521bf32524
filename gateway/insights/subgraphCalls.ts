import type { SubgraphCallEvent } from '../subgraphs/httpSubgraphClient.ts';
import type { SubgraphState } from '../subgraphs/policies/callPolicies.ts';
import type { SubgraphInsights } from './insightsData.ts';
import { LatencyHistogram } from './latencyHistogram.ts';
import { RecentWindow } from './recentWindow.ts';
import { shareOf } from './subgraphShares.ts';

interface Calls {
  count: number;
  failures: number;
  readonly latency: LatencyHistogram;
}

/** Half of what counts as recent. */
const windowMs = 60_000;

/** The calls to each subgraph in the last one to two minutes. */
export class SubgraphCalls {
  readonly #bySubgraph = new Map<string, RecentWindow<Calls>>();
  readonly #now: () => number;

  /** `now`: milliseconds on a clock that never goes back. */
  constructor(now: () => number) {
    this.#now = now;
  }

  onCall({
    subgraph,
    outcome,
    durationMs,
  }: Pick<SubgraphCallEvent, 'subgraph' | 'outcome' | 'durationMs'>): void {
    const now = this.#now();
    let window = this.#bySubgraph.get(subgraph);
    if (window === undefined) {
      window = new RecentWindow(windowMs, now, newCalls);
      this.#bySubgraph.set(subgraph, window);
    }
    // A call that its client gave up says nothing about the subgraph.
    if (outcome === 'cancelled') return;
    const calls = window.at(now);
    calls.count += 1;
    if (outcome !== 'answered') calls.failures += 1;
    calls.latency.observe(durationMs);
  }

  /** `state`: `undefined` for a subgraph that was not called so far. */
  describe(
    name: string,
    url: string | null,
    state: SubgraphState | undefined,
  ): Omit<SubgraphInsights, 'errorShare' | 'gatedShare' | 'gatedMs'> {
    const window = this.#bySubgraph.get(name);
    // Windows begin with use: without a call, what happened is not recent any more.
    window?.at(this.#now());
    const calls = newCalls();
    for (const { count, failures, latency } of window?.all ?? []) {
      calls.count += count;
      calls.failures += failures;
      calls.latency.merge(latency);
    }
    const elapsedMs = Math.max(1_000, this.#now() - (window?.since ?? 0));
    return {
      name,
      url,
      callsPerSecond: Math.round((calls.count / elapsedMs) * 100_000) / 100,
      failureShare: shareOf(calls.failures, calls.count),
      latency: calls.latency.summary(),
      breaker: state?.circuit ?? null,
      queued: state?.queued ?? 0,
      running: state?.running ?? 0,
      concurrencyLimit: state?.concurrencyLimit ?? null,
    };
  }
}

function newCalls(): Calls {
  return { count: 0, failures: 0, latency: new LatencyHistogram() };
}
