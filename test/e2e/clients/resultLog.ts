/** The results that a client passed to its application, in order. Tests wait for the n-th result instead of for time. */
export class ResultLog<T> {
  readonly #results: T[] = [];
  readonly #ended = Promise.withResolvers<void>();
  #arrival = Promise.withResolvers<void>();
  #isOver = false;

  push(result: T): void {
    this.#results.push(result);
    this.#signal();
  }

  end(): void {
    this.#isOver = true;
    this.#ended.resolve();
    this.#signal();
  }

  fail(error: unknown): void {
    this.#isOver = true;
    this.#ended.reject(error);
    // A test that waits for a result gets the error. Without a handler here, it would end the process.
    this.#ended.promise.catch(() => {});
    this.#signal();
  }

  /** Resolves to the results so far when there are `count` of them. Rejects when the client ends with fewer. */
  async first(count: number): Promise<readonly T[]> {
    while (this.#results.length < count) {
      if (this.#isOver) {
        await this.#ended.promise;
        throw new Error(`ended after ${this.#results.length} of ${count}: ${JSON.stringify(this.#results)}`);
      }
      await this.#arrival.promise;
    }
    return [...this.#results];
  }

  /** Resolves to all results when the client has ended. */
  async all(): Promise<readonly T[]> {
    await this.#ended.promise;
    return [...this.#results];
  }

  #signal(): void {
    this.#arrival.resolve();
    this.#arrival = Promise.withResolvers<void>();
  }
}
