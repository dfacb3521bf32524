/** Something that waits until the test lets it go on. */
export class Gate {
  readonly #opened = Promise.withResolvers<void>();
  #passing = 0;
  readonly #arrivals: { readonly count: number; readonly resolve: () => void }[] = [];

  /** Lets everyone through, from now on. */
  open(): void {
    this.#opened.resolve();
  }

  /** Resolves when so many have come to the gate altogether. */
  arrived(count = 1): Promise<void> {
    return new Promise((resolve) => {
      if (this.#passing >= count) resolve();
      else this.#arrivals.push({ count, resolve });
    });
  }

  async pass(): Promise<void> {
    this.#passing += 1;
    for (const { count, resolve } of this.#arrivals) if (this.#passing >= count) resolve();
    await this.#opened.promise;
  }
}
