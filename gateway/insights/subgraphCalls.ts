import type { SubgraphCallEvent } from '../subgraphs/httpSubgraphClient.ts';
import { outcomeLabelOf } from '../subgraphs/subgraphMetrics.ts';
import { LatencyHistogram } from './latencyHistogram.ts';
import { RecentWindow } from './recentWindow.ts';

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

  /** `now`: the clock of the events, in milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
  }

  onCall({
    subgraph,
    outcome,
    status,
    durationMs,
    endedAt: now,
  }: Pick<SubgraphCallEvent, 'subgraph' | 'outcome' | 'status' | 'durationMs' | 'endedAt'>): void {
    let window = this.#bySubgraph.get(subgraph);
    if (window === undefined) {
      window = new RecentWindow(windowMs, now, newCalls);
      this.#bySubgraph.set(subgraph, window);
    }
    // A call that its client gave up says nothing about the subgraph.
    if (outcome === 'cancelled') return;
    const calls = window.at(now);
    calls.count += 1;
    if (outcomeLabelOf({ outcome, status }) !== 'ok') calls.failures += 1;
    calls.latency.observe(durationMs);
  }

  /** The recent calls to each subgraph. */
  recent(): RecentCalls[] {
    const now = this.#now();
    return Array.from(this.#bySubgraph, ([subgraph, window]): RecentCalls => {
      // Windows begin with use: without a call, what happened is not recent any more.
      window.at(now);
      const recent = newCalls();
      for (const { count, failures, latency } of window.all) {
        recent.count += count;
        recent.failures += failures;
        recent.latency.merge(latency);
      }
      return { subgraph, ...recent, elapsedMs: Math.max(1_000, now - window.since) };
    });
  }
}

/** The calls of one process to a subgraph in the last one to two minutes. */
export interface RecentCalls extends Readonly<Calls> {
  readonly subgraph: string;
  /** The time in which these calls were made. */
  readonly elapsedMs: number;
}

function newCalls(): Calls {
  return { count: 0, failures: 0, latency: new LatencyHistogram() };
}
