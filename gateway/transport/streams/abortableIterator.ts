import type { RequestSignal } from '../../time/requestAbort.ts';

/** Steps of an iterator until a signal is aborted. An abort ends the iterator at once, even while a step is pending, and
 *  neither waits for `return()` nor reports its failure. Only one call of `next` or `waitFor` may be pending. */
export class AbortableIterator<T> {
  readonly #iterator: AsyncIterator<T>;
  readonly #signal: RequestSignal;
  #resolveAborted: (() => void) | undefined;
  readonly #onAbort = (): void => {
    this.end();
    this.#resolveAborted?.();
  };

  constructor(iterator: AsyncIterator<T>, signal: RequestSignal) {
    this.#iterator = iterator;
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort, { once: true });
    if (signal.aborted) this.#onAbort();
  }

  next(): Promise<IteratorResult<T> | 'aborted'> {
    return this.#signal.aborted ? Promise.resolve('aborted') : this.#raceWithAbort(this.#iterator.next());
  }

  /** Resolves with `event`, or when the signal is aborted. */
  async waitFor(event: Promise<void>): Promise<void> {
    if (!this.#signal.aborted) await this.#raceWithAbort(event);
  }

  /** Ends the iterator; the signal is still observed until `release`. */
  end(): void {
    this.#iterator.return?.().then(undefined, () => undefined);
  }

  /** Stops observing the signal. */
  release(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
  }

  // Not Promise.race with a promise of the abort: that promise would hold a reaction for every step until the abort.
  #raceWithAbort<Value>(event: Promise<Value>): Promise<Value | 'aborted'> {
    return new Promise((resolve, reject) => {
      const resolveAborted = (): void => resolve('aborted');
      this.#resolveAborted = resolveAborted;
      event.then(resolve, reject);
    });
  }
}
