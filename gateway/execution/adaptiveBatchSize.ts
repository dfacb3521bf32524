/** A smaller batch would cost more calls than it saves time. */
const minSize = 10;

/** The largest batch of representations of several requests for one subgraph: additive increase, multiplicative decrease. A
 *  batch that exceeds the attempt timeout halves the size, and batches of about that size that do not raise it again, up to
 *  `max`. Time in the queue of the subgraph does not count: smaller batches would make the queue longer. */
export class AdaptiveBatchSize {
  readonly #max: number;
  #size: number;

  constructor(max: number) {
    this.#max = max;
    this.#size = max;
  }

  /** Maximum number of representations in a batch. */
  get current(): number {
    return this.#size;
  }

  onBatch(representations: number, outcome: 'completed' | 'timeout'): void {
    // A small batch says nothing about larger ones.
    if (representations < this.#size / 2) return;
    if (outcome === 'completed') this.#size = Math.min(this.#max, this.#size + Math.ceil(this.#max / 20));
    else
      this.#size = Math.max(
        Math.min(minSize, this.#max),
        Math.floor(Math.min(representations, this.#size) / 2),
      );
  }
}
