/** Remembers which tag was invalidated when, in counts of invalidations. Bounded: with too many tags the past is
 *  forgotten, and whatever began in it counts as overtaken. */
export class TagStamps {
  readonly #limit: number;
  readonly #stamps = new Map<string, number>();
  #floor = 0;
  #count = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Invalidations so far. */
  get count(): number {
    return this.#count;
  }

  invalidate(tags: readonly string[]): void {
    this.#count += 1;
    for (const tag of tags) this.#stamps.set(tag, this.#count);
    if (this.#stamps.size > this.#limit) this.#forget();
  }

  invalidateAll(): void {
    this.#count += 1;
    this.#forget();
  }

  /** Whether something that began at a count has been overtaken since. */
  isOvertaken(tags: readonly string[], since: number): boolean {
    if (since === this.#count) return false;
    return since < this.#floor || tags.some((tag) => (this.#stamps.get(tag) ?? 0) > since);
  }

  #forget(): void {
    this.#stamps.clear();
    this.#floor = this.#count;
  }
}
