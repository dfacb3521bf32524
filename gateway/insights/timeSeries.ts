import type { ResponseEnd } from '../execution/executionObserver.ts';
import type { AnswerTimings } from './answerTimes.ts';
import type { SeriesPoint } from './insightsData.ts';
import { LatencyHistogram } from './latencyHistogram.ts';

/** Counts since the process started. */
export interface CumulativeCounts {
  readonly cache: SeriesPoint['cache'];
  readonly budgets: SeriesPoint['budgets'];
}

export type Gauges = Pick<SeriesPoint, 'queued' | 'openBreakers' | 'backlog' | 'eventLoop'>;

/** What was counted before there was anything to count. */
export const noCounts: CumulativeCounts = {
  cache: { hits: 0, stale: 0, misses: 0 },
  budgets: { kept: 0, stale: 0, missed: 0 },
};

export const pointIntervalMs = 10_000;
const maxPoints = 90;

/** The last 15 minutes in points of 10 seconds. */
export class TimeSeries {
  readonly #points: SeriesPoint[] = [];
  #open: OpenPoint;
  #counts = noCounts;

  /** `at`: milliseconds since 1970. */
  constructor(at: number) {
    this.#open = new OpenPoint(at);
  }

  get points(): readonly SeriesPoint[] {
    return this.#points;
  }

  addAnswer(timings: AnswerTimings, end: ResponseEnd): void {
    this.#open.add(timings, end);
  }

  /** Ends the point that is open, and opens the next one. */
  closePoint(at: number, counts: CumulativeCounts, gauges: Gauges): void {
    this.#points.push(this.#open.close(subtract(counts, this.#counts), gauges));
    if (this.#points.length > maxPoints) this.#points.shift();
    this.#counts = counts;
    this.#open = new OpenPoint(at);
  }
}

class OpenPoint {
  readonly #at: number;
  #answers = 0;
  #errors = 0;
  readonly #firstPayload = new LatencyHistogram();
  readonly #completion = new LatencyHistogram();

  constructor(at: number) {
    this.#at = at;
  }

  add({ firstPayloadMs, completeMs }: AnswerTimings, { isComplete, hasErrors }: ResponseEnd): void {
    this.#answers += 1;
    if (hasErrors) this.#errors += 1;
    if (!Number.isNaN(firstPayloadMs)) this.#firstPayload.observe(firstPayloadMs);
    if (isComplete) this.#completion.observe(completeMs);
  }

  close(counts: CumulativeCounts, gauges: Gauges): SeriesPoint {
    return {
      at: new Date(this.#at).toISOString(),
      answers: this.#answers,
      errors: this.#errors,
      firstPayload: this.#firstPayload.summary(),
      completion: this.#completion.summary(),
      ...counts,
      ...gauges,
    };
  }
}

function subtract({ cache, budgets }: CumulativeCounts, before: CumulativeCounts): CumulativeCounts {
  return {
    cache: {
      hits: cache.hits - before.cache.hits,
      stale: cache.stale - before.cache.stale,
      misses: cache.misses - before.cache.misses,
    },
    budgets: {
      kept: budgets.kept - before.budgets.kept,
      stale: budgets.stale - before.budgets.stale,
      missed: budgets.missed - before.budgets.missed,
    },
  };
}
