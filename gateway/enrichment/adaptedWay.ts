import type { EnrichmentWay } from './enrichmentRule.ts';
import type { LatencySketch } from './latencySketch.ts';

/** `enrichment.adaptation` of the configuration. */
export interface AdaptationLimits {
  /** How far back latencies count, in milliseconds. */
  readonly window: number;
  readonly minSamples: number;
  /** Parts of the budget that 95 % of the latencies are within. */
  readonly inlineBelow: number;
  readonly inlineUntil: number;
  /** Shares of the latencies that are within the budget. */
  readonly lateBelow: number;
  readonly lateUntil: number;
}

const mostOfThem = 0.95;
/** What is fetched with the primary data can hold it up: then nearly all has to be within the budget, also what is
 *  beyond the 95 %. */
const nearlyAll = { toBegin: 0.99, toStay: 0.97 };

/** Shares move slowly where there are many latencies, and while a field hangs, none comes. So fields that are overdue
 *  also add to a sum of their own, from which those in time take away: five in a row reach its limit, and so do more
 *  of them with others in between, while one in a hundred never does. */
const alarm = { overdue: 20, inTime: 1, limit: 100 };

/** The way of one field under one budget. It changes where latencies have passed both of a pair of limits; and one
 *  that was left is not taken again for a window, whatever latencies do meanwhile. */
export class AdaptedWay {
  readonly #limits: AdaptationLimits;
  readonly #budgetMs: number;
  readonly #leftAt = { inline: Number.NEGATIVE_INFINITY, late: Number.NEGATIVE_INFINITY };
  #way: EnrichmentWay = 'budget';
  #alarm = 0;

  constructor(limits: AdaptationLimits, budgetMs: number) {
    this.#limits = limits;
    this.#budgetMs = budgetMs;
  }

  decide(sketch: LatencySketch, nowMs: number): EnrichmentWay {
    this.#take(this.#next(sketch, nowMs), nowMs);
    return this.#way;
  }

  /** The field was there before the budget was over. */
  noteInTime(): void {
    this.#alarm = Math.max(0, this.#alarm - alarm.inTime);
  }

  /** The budget is over, and the field is not there. */
  noteOverdue(nowMs: number): void {
    if (this.#way !== 'inline') return;
    this.#alarm += alarm.overdue;
    if (this.#alarm >= alarm.limit) this.#take('budget', nowMs);
  }

  #take(next: EnrichmentWay, nowMs: number): void {
    if (next === this.#way) return;
    if (this.#way !== 'budget') this.#leftAt[this.#way] = nowMs;
    this.#way = next;
    this.#alarm = 0;
  }

  #next(sketch: LatencySketch, nowMs: number): EnrichmentWay {
    if (!this.#knowsEnough(sketch.count)) return 'budget';
    if (this.#isInline(sketch) && this.#mayBe('inline', nowMs)) return 'inline';
    return this.#isLate(sketch) && this.#mayBe('late', nowMs) ? 'late' : 'budget';
  }

  /** Half as many are enough to go on as before: that is what is left when half of a window is forgotten. */
  #knowsEnough(samples: number): boolean {
    const { minSamples } = this.#limits;
    return samples >= (this.#way === 'budget' ? minSamples : minSamples / 2);
  }

  #isInline(sketch: LatencySketch): boolean {
    const is = this.#way === 'inline';
    const part = is ? this.#limits.inlineUntil : this.#limits.inlineBelow;
    return (
      share(sketch, part * this.#budgetMs) >= mostOfThem &&
      share(sketch, this.#budgetMs) >= (is ? nearlyAll.toStay : nearlyAll.toBegin)
    );
  }

  #isLate(sketch: LatencySketch): boolean {
    const within = share(sketch, this.#budgetMs);
    return this.#way === 'late' ? within <= this.#limits.lateUntil : within < this.#limits.lateBelow;
  }

  #mayBe(way: 'inline' | 'late', nowMs: number): boolean {
    return this.#way === way || nowMs - this.#leftAt[way] >= this.#limits.window;
  }
}

function share(sketch: LatencySketch, limitMs: number): number {
  return sketch.shareWithin(limitMs) ?? 0;
}
