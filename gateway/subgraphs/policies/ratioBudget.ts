import { SlidingCount } from './slidingCount.ts';

const windowMs = 10_000;

/** Limits extra calls, such as retries or hedges, to a ratio of the calls in a sliding window of 10 s, as Finagle's retry
 *  budget does. There is no minimum per second: at low rates it would allow as many retries as calls. One extra call is
 *  allowed as soon as there was one call, because the product of ratio and calls is rounded up. */
export class RatioBudget {
  readonly #ratio: number;
  readonly #calls: SlidingCount;
  readonly #extraCalls: SlidingCount;

  constructor(ratio: number, now: () => number) {
    this.#ratio = ratio;
    this.#calls = new SlidingCount(windowMs, now);
    this.#extraCalls = new SlidingCount(windowMs, now);
  }

  onCall(now?: number): void {
    this.#calls.add(now);
  }

  /** Whether `tryTake` would succeed. */
  get isAvailable(): boolean {
    return this.#extraCalls.total < this.#ratio * this.#calls.total;
  }

  /** Takes one extra call from the budget; false if none is left. */
  tryTake(): boolean {
    if (!this.isAvailable) return false;
    this.#extraCalls.add();
    return true;
  }
}
