import type { DeliveryMode } from '../operation/enrichmentRule.ts';
import type { LatencySketch } from './latencySketch.ts';

/** `enrichment.adaptation` of the configuration. */
export interface AdaptationThresholds {
  /** How far back latencies count, in milliseconds. */
  readonly window: number;
  readonly minSamples: number;
  /** Parts of the budget that 95 % of the latencies must be within, to enter and to stay in `inline`. */
  readonly inlineBelow: number;
  readonly inlineUntil: number;
  /** Shares of latencies within the budget, to enter and to leave `deferred`. */
  readonly deferredBelow: number;
  readonly deferredUntil: number;
}

const inlineQuantile = 0.95;
/** An inline field can delay the primary data, so the slowest 5 % must nearly all be within the budget too. */
const inlineShareWithinBudget = { enter: 0.99, stay: 0.97 };

/** A score that reacts to a hanging field before its latencies are known: the shares in the sketch change slowly. Five
 *  overdue fields in a row reach the limit, more of them if others are in time in between, and one overdue field in a
 *  hundred never does. */
const overdueScoring = { overduePoints: 20, inTimePoints: 1, limit: 100 };

/** Selects the delivery mode of one field for one budget. Hysteresis: to enter a mode, latencies must pass a stricter
 *  limit than to stay in it, and a mode that was left is not entered again for one window. */
export class DeliveryModeSelector {
  readonly #thresholds: AdaptationThresholds;
  readonly #budgetMs: number;
  readonly #leftAt: Record<DeliveryMode, number> = {
    inline: Number.NEGATIVE_INFINITY,
    budgeted: Number.NEGATIVE_INFINITY,
    deferred: Number.NEGATIVE_INFINITY,
  };
  #deliveryMode: DeliveryMode = 'budgeted';
  #overdueScore = 0;

  constructor(thresholds: AdaptationThresholds, budgetMs: number) {
    this.#thresholds = thresholds;
    this.#budgetMs = budgetMs;
  }

  select(sketch: LatencySketch, nowMs: number): DeliveryMode {
    this.#transitionTo(this.preview(sketch, nowMs), nowMs);
    return this.#deliveryMode;
  }

  /** What `select` would return, without a change of the mode. */
  preview(sketch: LatencySketch, nowMs: number): DeliveryMode {
    if (!this.#hasEnoughSamples(sketch.count)) return 'budgeted';
    if (this.#qualifiesForInline(sketch) && this.#mayEnter('inline', nowMs)) return 'inline';
    return this.#qualifiesForDeferred(sketch) && this.#mayEnter('deferred', nowMs) ? 'deferred' : 'budgeted';
  }

  /** The field was ready within the budget. */
  recordInTime(): void {
    this.#overdueScore = Math.max(0, this.#overdueScore - overdueScoring.inTimePoints);
  }

  /** The field was not ready at the end of the budget. */
  recordOverdue(nowMs: number): void {
    if (this.#deliveryMode !== 'inline') return;
    this.#overdueScore += overdueScoring.overduePoints;
    if (this.#overdueScore >= overdueScoring.limit) this.#transitionTo('budgeted', nowMs);
  }

  #transitionTo(next: DeliveryMode, nowMs: number): void {
    if (next === this.#deliveryMode) return;
    this.#leftAt[this.#deliveryMode] = nowMs;
    this.#deliveryMode = next;
    this.#overdueScore = 0;
  }

  /** Half of the samples are enough to stay in a mode: that is what remains when the sketch drops half of its window. */
  #hasEnoughSamples(samples: number): boolean {
    const { minSamples } = this.#thresholds;
    return samples >= (this.#deliveryMode === 'budgeted' ? minSamples : minSamples / 2);
  }

  #qualifiesForInline(sketch: LatencySketch): boolean {
    const isInline = this.#deliveryMode === 'inline';
    const { inlineBelow, inlineUntil } = this.#thresholds;
    const { enter, stay } = inlineShareWithinBudget;
    return (
      shareWithin(sketch, (isInline ? inlineUntil : inlineBelow) * this.#budgetMs) >= inlineQuantile &&
      shareWithin(sketch, this.#budgetMs) >= (isInline ? stay : enter)
    );
  }

  #qualifiesForDeferred(sketch: LatencySketch): boolean {
    const share = shareWithin(sketch, this.#budgetMs);
    return this.#deliveryMode === 'deferred'
      ? share <= this.#thresholds.deferredUntil
      : share < this.#thresholds.deferredBelow;
  }

  /** Also true of the current mode: it was left a window before it was entered. */
  #mayEnter(mode: DeliveryMode, nowMs: number): boolean {
    return nowMs - this.#leftAt[mode] >= this.#thresholds.window;
  }
}

function shareWithin(sketch: LatencySketch, limitMs: number): number {
  return sketch.shareWithin(limitMs) ?? 0;
}
