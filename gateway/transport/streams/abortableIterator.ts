/** The steps of an iterator until a signal is aborted. That ends the iterator at once and not after the pending step,
 *  which may be what takes so long. Nobody waits for the iterator's own end, nor hears what goes wrong in it. One step
 *  is waited for at a time. */
export class AbortableIterator<T> {
  readonly #iterator: AsyncIterator<T>;
  readonly #signal: AbortSignal;
  #wake: (() => void) | undefined;
  readonly #onAbort = (): void => {
    this.end();
    this.#wake?.();
  };

  constructor(iterator: AsyncIterator<T>, signal: AbortSignal) {
    this.#iterator = iterator;
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort, { once: true });
    if (signal.aborted) this.#onAbort();
  }

  next(): Promise<IteratorResult<T> | 'aborted'> {
    return this.#signal.aborted ? Promise.resolve('aborted') : this.#raceWithAbort(this.#iterator.next());
  }

  /** Waits for something else, until the signal is aborted. */
  async waitFor(event: Promise<void>): Promise<void> {
    if (!this.#signal.aborted) await this.#raceWithAbort(event);
  }

  end(): void {
    this.#iterator.return?.().then(undefined, () => undefined);
  }

  /** Lets go of the signal. */
  release(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
  }

  // No race with a promise of the abort: that would keep something of every step for as long as it is pending.
  #raceWithAbort<Value>(event: Promise<Value>): Promise<Value | 'aborted'> {
    return new Promise((resolve, reject) => {
      this.#wake = () => resolve('aborted');
      event.then(resolve, reject);
    });
  }
}
