const slotCount = 10;

/** A count of events in a sliding window. Events expire a tenth of the window at a time, so that the window has from nine to
 *  ten tenths of its length. */
export class SlidingCount {
  readonly #slotMs: number;
  readonly #now: () => number;
  readonly #slots: number[] = new Array<number>(slotCount).fill(0);
  /** Number of the current slot since the clock's beginning. */
  #slot = 0;
  #total = 0;

  /** `now`: milliseconds on a monotonic clock. */
  constructor(windowMs: number, now: () => number) {
    this.#slotMs = windowMs / slotCount;
    this.#now = now;
  }

  add(now = this.#now()): void {
    this.#expire(now);
    this.#slots[this.#slot % slotCount] = (this.#slots[this.#slot % slotCount] as number) + 1;
    this.#total += 1;
  }

  get total(): number {
    this.#expire(this.#now());
    return this.#total;
  }

  reset(): void {
    this.#slots.fill(0);
    this.#total = 0;
  }

  #expire(now: number): void {
    const slot = Math.floor(now / this.#slotMs);
    const passed = Math.min(slot - this.#slot, slotCount);
    if (passed <= 0) return;
    for (let n = slot - passed + 1; n <= slot; n++) {
      this.#total -= this.#slots[n % slotCount] as number;
      this.#slots[n % slotCount] = 0;
    }
    this.#slot = slot;
  }
}
