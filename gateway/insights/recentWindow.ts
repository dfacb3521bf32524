/** Aggregates in two windows of equal length, so that what was long ago does not hide what is now. Windows end with use:
 *  what is not used keeps its newest values. */
export class RecentWindow<Aggregate> {
  readonly #windowMs: number;
  readonly #create: () => Aggregate;
  #previous: Aggregate | undefined;
  #previousSince = 0;
  #current: Aggregate;
  #since: number;

  constructor(windowMs: number, now: number, create: () => Aggregate) {
    this.#windowMs = windowMs;
    this.#create = create;
    this.#current = create();
    this.#since = now;
  }

  /** Where to count what happens now. */
  at(now: number): Aggregate {
    const elapsedMs = now - this.#since;
    if (elapsedMs >= this.#windowMs) {
      this.#previous = elapsedMs < 2 * this.#windowMs ? this.#current : undefined;
      this.#previousSince = this.#since;
      this.#current = this.#create();
      this.#since = now - (elapsedMs % this.#windowMs);
    }
    return this.#current;
  }

  /** Both windows, the older first. */
  get all(): readonly Aggregate[] {
    return this.#previous === undefined ? [this.#current] : [this.#previous, this.#current];
  }

  /** Those of `all` with anything that is recent at `now`, also if nothing happened since then. */
  recentAt(now: number): readonly Aggregate[] {
    const elapsedMs = now - this.#since;
    if (elapsedMs < this.#windowMs) return this.all;
    return elapsedMs < 2 * this.#windowMs ? [this.#current] : [];
  }

  /** When the older window began. */
  get since(): number {
    return this.#previous === undefined ? this.#since : this.#previousSince;
  }
}
