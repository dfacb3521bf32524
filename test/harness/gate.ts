import { Changes } from './changes.ts';

/** A gate at which calls wait until the test opens it. */
export class Gate {
  readonly #opened = Promise.withResolvers<void>();
  #arrivedCount = 0;
  readonly #arrivals = new Changes();

  /** Releases all calls, and lets later calls pass. */
  open(): void {
    this.#opened.resolve();
  }

  /** Resolves when this many calls have arrived in total. */
  waitForArrivals(count = 1): Promise<void> {
    return this.#arrivals.until(() => this.#arrivedCount >= count);
  }

  async pass(): Promise<void> {
    this.#arrivedCount += 1;
    this.#arrivals.notify();
    await this.#opened.promise;
  }
}
