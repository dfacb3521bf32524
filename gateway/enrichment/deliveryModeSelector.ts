import type { DeliveryMode } from '../operation/enrichmentRule.ts';
import type { LatencySketch } from './latencySketch.ts';

/** `enrichment.adaptation` of the configuration. */
export interface AdaptationThresholds {
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

const inlineQuantile = 0.95;
/** What is fetched with the primary data can hold it up: then nearly all has to be within the budget, also what is
 *  beyond the 95 %. */
const inlineShareWithinBudget = { enter: 0.99, stay: 0.97 };

/** Shares move slowly where there are many latencies, and while a field hangs, none comes. So fields that are overdue
 *  also add to a sum of their own, from which those in time take away: five in a row reach its limit, and so do more
 *  of them with others in between, while one in a hundred never does. */
const overdueScoring = { overduePoints: 20, inTimePoints: 1, limit: 100 };

/** The way of one field under one budget. It changes where latencies have passed both of a pair of limits; and one
 *  that was left is not taken again for a window, whatever latencies do meanwhile. */
export class DeliveryModeSelector {
  readonly #thresholds: AdaptationThresholds;
  readonly #budgetMs: number;
  readonly #exitedAt = { inline: Number.NEGATIVE_INFINITY, late: Number.NEGATIVE_INFINITY };
  #deliveryMode: DeliveryMode = 'budget';
  #overdueScore = 0;

  constructor(limits: AdaptationThresholds, budgetMs: number) {
    this.#thresholds = limits;
    this.#budgetMs = budgetMs;
  }

  select(sketch: LatencySketch, nowMs: number): DeliveryMode {
    this.#transitionTo(this.#evaluate(sketch, nowMs), nowMs);
    return this.#deliveryMode;
  }

  /** The field was there before the budget was over. */
  recordInTime(): void {
    this.#overdueScore = Math.max(0, this.#overdueScore - overdueScoring.inTimePoints);
  }

  /** The budget is over, and the field is not there. */
  recordOverdue(nowMs: number): void {
    if (this.#deliveryMode !== 'inline') return;
    this.#overdueScore += overdueScoring.overduePoints;
    if (this.#overdueScore >= overdueScoring.limit) this.#transitionTo('budget', nowMs);
  }

  #transitionTo(next: DeliveryMode, nowMs: number): void {
    if (next === this.#deliveryMode) return;
    if (this.#deliveryMode !== 'budget') this.#exitedAt[this.#deliveryMode] = nowMs;
    this.#deliveryMode = next;
    this.#overdueScore = 0;
  }

  #evaluate(sketch: LatencySketch, nowMs: number): DeliveryMode {
    if (!this.#hasEnoughSamples(sketch.count)) return 'budget';
    if (this.#qualifiesForInline(sketch) && this.#mayEnter('inline', nowMs)) return 'inline';
    return this.#qualifiesForDeferred(sketch) && this.#mayEnter('late', nowMs) ? 'late' : 'budget';
  }

  /** Half as many are enough to go on as before: that is what is left when half of a window is forgotten. */
  #hasEnoughSamples(samples: number): boolean {
    const { minSamples } = this.#thresholds;
    return samples >= (this.#deliveryMode === 'budget' ? minSamples : minSamples / 2);
  }

  #qualifiesForInline(sketch: LatencySketch): boolean {
    const is = this.#deliveryMode === 'inline';
    const part = is ? this.#thresholds.inlineUntil : this.#thresholds.inlineBelow;
    return (
      shareWithin(sketch, part * this.#budgetMs) >= inlineQuantile &&
      shareWithin(sketch, this.#budgetMs) >=
        (is ? inlineShareWithinBudget.stay : inlineShareWithinBudget.enter)
    );
  }

  #qualifiesForDeferred(sketch: LatencySketch): boolean {
    const within = shareWithin(sketch, this.#budgetMs);
    return this.#deliveryMode === 'late'
      ? within <= this.#thresholds.lateUntil
      : within < this.#thresholds.lateBelow;
  }

  #mayEnter(way: 'inline' | 'late', nowMs: number): boolean {
    return this.#deliveryMode === way || nowMs - this.#exitedAt[way] >= this.#thresholds.window;
  }
}

function shareWithin(sketch: LatencySketch, limitMs: number): number {
  return sketch.shareWithin(limitMs) ?? 0;
}
