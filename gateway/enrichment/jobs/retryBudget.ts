interface RetryBudgetOptions {
  /** Retries per job. */
  readonly ratio: number;
  /** A monotonic clock, in milliseconds. */
  readonly now: () => number;
}

const windowMs = 10_000;
const minRetriesPerSecond = 10;
const slots = 10;

/** Limits retries to a share of the jobs of the last ten seconds, plus ten per second for processes with few jobs. When
 *  a subgraph fails for every job, retries do not multiply its load. */
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

  /** Takes one retry out of the budget; false if none is left. */
  tryTake(): boolean {
    this.#expireOldSlots();
    const available = this.#balances.reduce(
      (sum, balance) => sum + balance,
      (minRetriesPerSecond * windowMs) / 1_000,
    );
    // A sum of shares such as 0.2 is not exact.
    if (available < 1 - 1e-6) return false;
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
