interface RetryBudgetOptions {
  /** Retries per job. */
  readonly ratio: number;
  /** Milliseconds since any moment, never going back. */
  readonly now: () => number;
}

const windowMs = 10_000;
const minRetriesPerSecond = 10;
const slots = 10;

/** How many retries may be made: a share of the jobs of the last ten seconds, and ten per second on top for processes
 *  with few jobs. What is broken for everyone is so not asked for a multiple of what it cannot do anyway. */
export class RetryBudget {
  readonly #options: RetryBudgetOptions;
  readonly #balances = new Array<number>(slots).fill(0);
  #slot = 0;

  constructor(options: RetryBudgetOptions) {
    this.#options = options;
    this.#slot = this.#currentSlot();
  }

  recordJob(): void {
    this.#add(this.#options.ratio);
  }

  /** Takes one retry out; false where there is none. */
  tryTake(): boolean {
    this.#expireOldSlots();
    const left = this.#balances.reduce(
      (sum, balance) => sum + balance,
      (minRetriesPerSecond * windowMs) / 1_000,
    );
    // A sum of shares such as 0.2 is not exact.
    if (left < 1 - 1e-6) return false;
    this.#add(-1);
    return true;
  }

  #add(amount: number): void {
    this.#expireOldSlots();
    const index = this.#slot % slots;
    this.#balances[index] = (this.#balances[index] ?? 0) + amount;
  }

  #expireOldSlots(): void {
    const current = this.#currentSlot();
    const passed = Math.min(slots, current - this.#slot);
    for (let step = 1; step <= passed; step++) this.#balances[(current - passed + step) % slots] = 0;
    this.#slot = current;
  }

  #currentSlot(): number {
    return Math.floor(this.#options.now() / (windowMs / slots));
  }
}
