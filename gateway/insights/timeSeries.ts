import type { ResponseEnd } from '../execution/executionObserver.ts';
import type { AnswerTimings } from './answerTimes.ts';
import type { SeriesPoint } from './insightsData.ts';
import { LatencyHistogram, type LatencyHistogramData } from './latencyHistogram.ts';

/** Counts since the process started. */
export interface CumulativeCounts {
  readonly cache: SeriesPoint['cache'];
  readonly budgets: SeriesPoint['budgets'];
}

/** What is so at the end of ten seconds. */
interface Gauges extends Pick<SeriesPoint, 'queued' | 'backlog' | 'eventLoop'> {
  /** Subgraphs with an open circuit breaker. */
  readonly openBreakers: readonly string[];
}

/** Ten seconds of one process, or of several. */
export interface PointState extends CumulativeCounts, Gauges {
  /** When they began, in milliseconds since 1970: a multiple of ten seconds, so that points of several processes can be
   *  added up. */
  readonly at: number;
  readonly answers: number;
  readonly errors: number;
  readonly firstPayload: LatencyHistogram;
  readonly completion: LatencyHistogram;
}

/** What was counted before there was anything to count. */
export const noCounts: CumulativeCounts = {
  cache: { hits: 0, stale: 0, misses: 0 },
  budgets: { inTime: 0, stale: 0, missed: 0 },
};

const pointIntervalMs = 10_000;
const maxPoints = 90;

/** A timer may fire this much too early. */
const toleranceMs = 100;

/** How long from `now` until the open point ends. */
export function msUntilPointEnds(now: number): number {
  const remainingMs = pointIntervalMs - (now % pointIntervalMs);
  return remainingMs <= toleranceMs ? remainingMs + pointIntervalMs : remainingMs;
}

/** The last 15 minutes in points of 10 seconds. */
export class TimeSeries {
  readonly #points: PointState[] = [];
  #open = new OpenPoint();
  #counts = noCounts;

  get points(): readonly PointState[] {
    return this.#points;
  }

  addAnswer(timings: AnswerTimings, end: ResponseEnd): void {
    this.#open.add(timings, end);
  }

  /** Ends the point that is open, and opens the next one. `now`: milliseconds since 1970. */
  closePoint(now: number, counts: CumulativeCounts, gauges: Gauges): void {
    const at = (Math.floor((now + toleranceMs) / pointIntervalMs) - 1) * pointIntervalMs;
    this.#points.push({ at, ...this.#open.state, ...subtract(counts, this.#counts), ...gauges });
    if (this.#points.length > maxPoints) this.#points.shift();
    this.#counts = counts;
    this.#open = new OpenPoint();
  }
}

/** Adds up the points of several processes. The event loop is that of the busiest process. */
export function mergeSeries(all: readonly (readonly PointState[])[]): readonly PointState[] {
  const points = new Map<number, PointState>();
  for (const point of all.flat()) {
    const others = points.get(point.at);
    points.set(point.at, others === undefined ? point : mergePoints(others, point));
  }
  return [...points.values()].sort((a, b) => a.at - b.at).slice(-maxPoints);
}

function mergePoints(one: PointState, other: PointState): PointState {
  return {
    at: one.at,
    answers: one.answers + other.answers,
    errors: one.errors + other.errors,
    firstPayload: new LatencyHistogram().merge(one.firstPayload).merge(other.firstPayload),
    completion: new LatencyHistogram().merge(one.completion).merge(other.completion),
    ...combine(one, other, (a, b) => a + b),
    queued: one.queued + other.queued,
    openBreakers: [...new Set([...one.openBreakers, ...other.openBreakers])],
    backlog: one.backlog + other.backlog,
    eventLoop: Math.max(one.eventLoop, other.eventLoop),
  };
}

/** `point`: a `PointState` that was sent as JSON. */
export function readPoint(point: PointStateData): PointState {
  return {
    ...point,
    firstPayload: LatencyHistogram.from(point.firstPayload),
    completion: LatencyHistogram.from(point.completion),
  };
}

export interface PointStateData extends Omit<PointState, 'firstPayload' | 'completion'> {
  readonly firstPayload: LatencyHistogramData;
  readonly completion: LatencyHistogramData;
}

export function describePoint({
  at,
  firstPayload,
  completion,
  openBreakers,
  ...rest
}: PointState): SeriesPoint {
  return {
    ...rest,
    at: new Date(at).toISOString(),
    firstPayload: firstPayload.summary(),
    completion: completion.summary(),
    openBreakers: openBreakers.length,
  };
}

class OpenPoint {
  readonly state = {
    answers: 0,
    errors: 0,
    firstPayload: new LatencyHistogram(),
    completion: new LatencyHistogram(),
  };

  add({ firstPayloadMs, completeMs }: AnswerTimings, { isComplete, hasErrors }: ResponseEnd): void {
    this.state.answers += 1;
    if (hasErrors) this.state.errors += 1;
    if (!Number.isNaN(firstPayloadMs)) this.state.firstPayload.observe(firstPayloadMs);
    if (isComplete) this.state.completion.observe(completeMs);
  }
}

function subtract(counts: CumulativeCounts, before: CumulativeCounts): CumulativeCounts {
  return combine(counts, before, (a, b) => a - b);
}

function combine(
  { cache, budgets }: CumulativeCounts,
  other: CumulativeCounts,
  apply: (one: number, other: number) => number,
): CumulativeCounts {
  return {
    cache: {
      hits: apply(cache.hits, other.cache.hits),
      stale: apply(cache.stale, other.cache.stale),
      misses: apply(cache.misses, other.cache.misses),
    },
    budgets: {
      inTime: apply(budgets.inTime, other.budgets.inTime),
      stale: apply(budgets.stale, other.budgets.stale),
      missed: apply(budgets.missed, other.budgets.missed),
    },
  };
}
