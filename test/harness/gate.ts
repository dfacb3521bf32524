/** A gate at which calls wait until the test opens it. */
export class Gate {
  readonly #opened = Promise.withResolvers<void>();
  #arrivedCount = 0;
  readonly #waiters: { readonly count: number; readonly resolve: () => void }[] = [];

  /** Releases all calls, and lets later calls pass. */
  open(): void {
    this.#opened.resolve();
  }

  /** Resolves when this many calls have arrived in total. */
  waitForArrivals(count = 1): Promise<void> {
    return new Promise((resolve) => {
      if (this.#arrivedCount >= count) resolve();
      else this.#waiters.push({ count, resolve });
    });
  }

  async pass(): Promise<void> {
    this.#arrivedCount += 1;
    for (const { count, resolve } of this.#waiters) if (this.#arrivedCount >= count) resolve();
    await this.#opened.promise;
  }
}
