import type { HedgeDelay } from '../../config/sections/hedgeDelay.ts';
import { RatioBudget } from '../../time/ratioBudget.ts';

export interface HedgeSettings {
  readonly after: HedgeDelay;
  /** Most hedges, as a part of the calls of the last 10 s. */
  readonly budgetRatio: number;
}

const sampleCount = 512;
/** Fewer samples say nothing about a percentile. */
const minSamples = 100;
/** The percentile is computed again after this many samples. */
const samplesPerUpdate = 64;
/** How long after the percentile a hedge is sent. At the 95th percentile itself, 5 % of the calls would be hedged by
 *  definition, and a budget of 5 % would be spent on calls that are about to end. */
const margin = 1.25;

/** Decides when a query that is slow gets a second attempt ("The Tail at Scale", Dean and Barroso, 2013). */
export class HedgePolicy {
  /** From 0 to 1; `undefined` for a fixed delay. */
  readonly #percentile: number | undefined;
  readonly #budget: RatioBudget;
  readonly #latencies = new Float64Array(sampleCount);
  #samples = 0;
  #delayMs: number | undefined;

  /** `now`: milliseconds on a monotonic clock. */
  constructor(settings: HedgeSettings, now: () => number) {
    const { after, budgetRatio } = settings;
    this.#budget = new RatioBudget(budgetRatio, now);
    if (typeof after === 'number') this.#delayMs = after;
    else this.#percentile = Number(after.slice(1)) / 100;
  }

  /** A call is sent for the first time. */
  onCall(now: number): void {
    this.#budget.recordFirstAttempt(now);
  }

  /** An attempt got a response. */
  onResponse(latencyMs: number): void {
    if (this.#percentile === undefined) return;
    this.#latencies[this.#samples % sampleCount] = latencyMs;
    this.#samples += 1;
    if (this.#samples < minSamples || (this.#delayMs !== undefined && this.#samples % samplesPerUpdate !== 0))
      return;
    const sorted = this.#latencies.slice(0, Math.min(this.#samples, sampleCount)).sort();
    const rank = Math.ceil(this.#percentile * sorted.length) - 1;
    this.#delayMs = (sorted[rank] as number) * margin;
  }

  /** How long after its start a call is hedged, in milliseconds; `undefined` while too little is known. */
  get delayMs(): number | undefined {
    return this.#delayMs;
  }

  /** Takes one hedge from the budget; false if none is left. */
  tryTake(): boolean {
    return this.#budget.tryTake();
  }
}
