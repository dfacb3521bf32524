/** Remembers which tag was invalidated when, in counts of invalidations. Bounded: with too many tags the past is
 *  forgotten, and whatever began in it counts as overtaken. */
export class InvalidationHistory {
  readonly #limit: number;
  readonly #countByTag = new Map<string, number>();
  #floor = 0;
  #count = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Invalidations so far. */
  get count(): number {
    return this.#count;
  }

  record(tags: readonly string[]): void {
    this.#count += 1;
    for (const tag of tags) this.#countByTag.set(tag, this.#count);
    if (this.#countByTag.size > this.#limit) this.#truncate();
  }

  recordAll(): void {
    this.#count += 1;
    this.#truncate();
  }

  /** Whether something that began at a count has been overtaken since. */
  isInvalidatedSince(tags: readonly string[], since: number): boolean {
    if (since === this.#count) return false;
    return since < this.#floor || tags.some((tag) => (this.#countByTag.get(tag) ?? 0) > since);
  }

  #truncate(): void {
    this.#countByTag.clear();
    this.#floor = this.#count;
  }
}
