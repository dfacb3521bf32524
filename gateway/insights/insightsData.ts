import type { ResponseTimings } from '../execution/executionObserver.ts';
import type { DescribedFetch } from './planDescription.ts';

// The JSON of `GET /insights/data`. Times are milliseconds, unless their names say otherwise.

/** How many enrichment jobs in each state the data has. The newest ones. */
export const maxJobs = 100;

/** How many broken operations of each check and of each drifted subgraph the data has. */
export const maxBrokenOperations = 100;

export interface InsightsData {
  /** How many workers the data is of, and how many there are: one that does not answer in time is missing. `null` for a
   *  process without others. */
  readonly workers: { readonly answered: number; readonly running: number } | null;
  /** ISO 8601. */
  readonly now: string;
  /** When the first of the processes was started. */
  readonly startedAt: string;
  readonly subgraphs: readonly SubgraphInsights[];
  /** Those that took the most time together first, at most as many as were requested. */
  readonly operations: readonly OperationInsights[];
  /** Different operations that are recorded, of those whose names have the searched text. */
  readonly operationCount: number;
  /** Requests whose operation is not among them, because too many others were in use, or too many new ones arrived at once. */
  readonly unrecordedRequests: number;
  /** The last 15 minutes, the oldest first. */
  readonly series: readonly SeriesPoint[];
  /** Enrichment jobs that wait or have failed (`GET /jobs`), at most `maxJobs` of each, or why they cannot be read. */
  readonly jobs: readonly unknown[] | { readonly error: string };
  /** `GET /contracts`, with at most `maxBrokenOperations` in each list, and without findings. */
  readonly contracts: unknown;
  readonly supergraph: {
    readonly id: string;
    /** Why a newer one was refused. */
    readonly refusal: string | null;
    /** Why the source of supergraphs cannot be read. */
    readonly sourceProblem: string | null;
  } | null;
}

/** With a relative error of 5 %. */
export interface LatencySummary {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly mean: number;
}

export interface SubgraphInsights {
  readonly name: string;
  readonly url: string | null;
  /** Calls in the last one to two minutes. */
  readonly callsPerSecond: number;
  /** Of these calls, from 0 to 1: those without a response, or with a status of 400 or more. */
  readonly failureShare: number;
  /** Share of the answers of the last five to ten minutes with a fetch from the subgraph, from 0 to 1, in which one
   *  of these fetches failed or had errors. The client gets no error where an enrichment is pending instead. */
  readonly errorShare: number;
  /** Of these calls, until the response was complete. */
  readonly latency: LatencySummary | null;
  /** `null` for a subgraph without a circuit breaker, or without a call so far. */
  readonly breaker: 'closed' | 'half-open' | 'open' | null;
  readonly queued: number;
  readonly running: number;
  readonly concurrencyLimit: number | null;
  /** Share of the recorded answers of the last five to ten minutes, from 0 to 1, whose first payload waited for the
   *  subgraph. */
  readonly gatedShare: number;
  /** How long these answers waited for it, on average. */
  readonly gatedMs: number;
}

export interface OperationInsights {
  /** Hash of the operation without the values in it. */
  readonly id: string;
  /** `null` for an operation without a name. */
  readonly name: string | null;
  readonly kind: 'query' | 'mutation' | 'subscription';
  /** The operation without the values in it. */
  readonly text: string;
  /** When the counts and latencies begin: five to ten minutes before the last request. ISO 8601. */
  readonly since: string;
  readonly lastUsedAt: string;
  /** Answers, those of events of subscriptions included. */
  readonly count: number;
  readonly errors: number;
  /** Answers whose client did not wait for the last payload. */
  readonly aborted: number;
  readonly firstPayload: LatencySummary | null;
  readonly completion: LatencySummary | null;
  /** The newest first. Clients with and without incremental delivery, different variables and permissions may have
   *  different plans. */
  readonly plans: readonly PlanInsights[];
}

export interface PlanInsights {
  /** How many answers were recorded step by step. */
  readonly recorded: number;
  /** Means. */
  readonly timings: ResponseTimings;
  /** In the order of the plan. */
  readonly fetches: readonly FetchInsights[];
  /** By delivery group; the first one is the first payload. */
  readonly payloads: readonly PayloadInsights[];
  readonly whatIf: readonly WhatIf[];
}

/** `dependsOn`: indices in `fetches`. */
export interface FetchInsights extends Omit<DescribedFetch, 'isCacheable'> {
  /** From the start of the request to that of the fetch, mean; `null` if it was never sent. */
  readonly startMs: number | null;
  readonly latency: LatencySummary | null;
  /** Share of the answers, from 0 to 1, in which the fetch failed or had errors. */
  readonly errorShare: number;
  /** Share of the recorded answers, from 0 to 1, whose first payload waited for the fetch. */
  readonly criticalShare: number;
  /** How long these answers waited for it, on average. */
  readonly criticalMs: number;
}

export interface PayloadInsights {
  readonly group: number;
  /** Until its data was there. */
  readonly ready: LatencySummary | null;
  /** The most frequent critical path: indices in `fetches`. */
  readonly criticalPath: readonly number[];
}

/** A prediction from recorded answers, as medians. */
export interface WhatIf {
  readonly kind: 'deferred' | 'cached';
  /** For all fields of the subgraph; `null` for single fields. */
  readonly subgraph: string | null;
  /** Paths in the response. */
  readonly fields: readonly string[];
  readonly firstPayloadMs: number;
  /** The same answers as they were. */
  readonly currentFirstPayloadMs: number;
  /** `null` for deferred fields, which change it little. */
  readonly completionMs: number | null;
  readonly currentCompletionMs: number;
}

export interface SeriesPoint {
  /** Start of ten seconds. ISO 8601. */
  readonly at: string;
  readonly answers: number;
  readonly errors: number;
  readonly firstPayload: LatencySummary | null;
  readonly completion: LatencySummary | null;
  readonly cache: { readonly hits: number; readonly stale: number; readonly misses: number };
  /** Enrichments in first responses, by what their budget led to: the value, a stale one in its place, or none yet. */
  readonly budgets: { readonly inTime: number; readonly stale: number; readonly missed: number };
  /** At the end of the ten seconds. */
  readonly queued: number;
  /** Subgraphs with an open circuit breaker, in any worker. */
  readonly openBreakers: number;
  readonly backlog: number;
  /** Share of the time, from 0 to 1, in which the event loop was busy; that of the busiest worker. */
  readonly eventLoop: number;
}
