import { SlidingCount } from './slidingCount.ts';

const windowMs = 10_000;

/** Limits extra attempts, such as retries or hedges, to a ratio of the first attempts in a sliding window of 10 s, as
 *  Finagle's retry budget does. The product of ratio and first attempts is rounded up: one extra attempt is allowed as soon
 *  as there was one first attempt. */
export class RatioBudget {
  readonly #ratio: number;
  readonly #minExtraAttempts: number;
  readonly #firstAttempts: SlidingCount;
  readonly #extraAttempts: SlidingCount;

  /** `now`: milliseconds on a monotonic clock. `minPerSecond`: extra attempts that are allowed besides the ratio. It is 0 for
   *  calls of subgraphs: at low rates, a minimum would allow as many retries as calls. */
  constructor(ratio: number, now: () => number, minPerSecond = 0) {
    this.#ratio = ratio;
    this.#minExtraAttempts = (minPerSecond * windowMs) / 1_000;
    this.#firstAttempts = new SlidingCount(windowMs, now);
    this.#extraAttempts = new SlidingCount(windowMs, now);
  }

  recordFirstAttempt(now?: number): void {
    this.#firstAttempts.add(now);
  }

  /** Whether extra attempts have used up the budget, or it never allows any. Without any attempt in the window it is not
   *  available, because the next first attempt makes it so, and not spent. */
  get isSpent(): boolean {
    return !this.#isAvailable && (this.#ratio === 0 || this.#extraAttempts.total > 0);
  }

  /** Takes one extra attempt from the budget; false if none is left. */
  tryTake(): boolean {
    if (!this.#isAvailable) return false;
    this.#extraAttempts.add();
    return true;
  }

  /** Whether `tryTake` would succeed. */
  get #isAvailable(): boolean {
    return this.#extraAttempts.total < this.#minExtraAttempts + this.#ratio * this.#firstAttempts.total;
  }
}
