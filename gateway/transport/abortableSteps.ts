/** The steps of an iterator until a signal is aborted. That ends the iterator at once and not after the pending step,
 *  which may be what takes so long. Nobody waits for the iterator's own end, nor hears what goes wrong in it. */
export class AbortableSteps<T> {
  readonly #iterator: AsyncIterator<T>;
  readonly #signal: AbortSignal;
  readonly #aborted = Promise.withResolvers<'aborted'>();
  readonly #onAbort = (): void => {
    this.end();
    this.#aborted.resolve('aborted');
  };

  constructor(iterator: AsyncIterator<T>, signal: AbortSignal) {
    this.#iterator = iterator;
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort, { once: true });
    if (signal.aborted) this.#onAbort();
  }

  next(): Promise<IteratorResult<T> | 'aborted'> {
    if (this.#signal.aborted) return this.#aborted.promise;
    return Promise.race([this.#iterator.next(), this.#aborted.promise]);
  }

  /** Waits for something else, until the signal is aborted. */
  async until(event: Promise<unknown>): Promise<void> {
    await Promise.race([event, this.#aborted.promise]);
  }

  end(): void {
    this.#iterator.return?.().then(undefined, () => undefined);
  }

  /** Lets go of the signal. */
  release(): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
  }
}
