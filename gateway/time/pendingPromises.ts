/** Promises that have not settled yet, so that a shutdown can wait for all of them. */
export class PendingPromises {
  readonly #promises = new Set<Promise<void>>();

  /** Holds the promise until it settles. */
  add(promise: Promise<void>): void {
    this.#promises.add(promise);
    const remove = (): void => {
      this.#promises.delete(promise);
    };
    // Not `finally`, whose promise would reject too, unhandled.
    promise.then(remove, remove);
  }

  /** Resolves when the promises that are held now have resolved. Rejects like the first of them that rejects. */
  async settled(): Promise<void> {
    await Promise.all(this.#promises);
  }
}
