/** Something that waits until the test lets it go on. */
export class Gate {
  readonly #opened = Promise.withResolvers<void>();
  #arrivedCount = 0;
  readonly #waiters: { readonly count: number; readonly resolve: () => void }[] = [];

  /** Lets everyone through, from now on. */
  open(): void {
    this.#opened.resolve();
  }

  /** Resolves when so many have come to the gate altogether. */
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
