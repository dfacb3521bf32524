import type { CancelTimer, Timers } from '../../time/timers.ts';
import type { JobRun, JobRunFailure } from './jobStore.ts';

interface DeadLetter extends JobRun, JobRunFailure {
  /** Keys of the places that got nothing. */
  readonly failedKeys: readonly string[];
  /** By the clock, in milliseconds. */
  readonly createdAt: number;
  readonly failedAt: number;
}

interface DeadLetterSetOptions {
  /** Most at a time. */
  readonly maxCount: number;
  /** Most bytes of their jobs. */
  readonly maxBytes: number;
  /** Milliseconds. */
  readonly retentionMs: number;
  readonly timers: Timers;
  /** The clock, in milliseconds. */
  readonly now: () => number;
}

/** Jobs that failed for good, until somebody has a look; the oldest leave first. */
export class DeadLetterSet {
  readonly #options: DeadLetterSetOptions;
  readonly #deadLetters = new Map<string, DeadLetter>();
  #bytes = 0;
  #cancelTimer: CancelTimer = () => {};

  constructor(options: DeadLetterSetOptions) {
    this.#options = options;
  }

  add(work: DeadLetter): void {
    this.#delete(work.id);
    this.#deadLetters.set(work.id, work);
    this.#bytes += work.job.size;
    this.#evictExpired();
  }

  /** In the order in which they failed. */
  all(): readonly DeadLetter[] {
    this.#evictExpired();
    return [...this.#deadLetters.values()];
  }

  get(id: string): DeadLetter | undefined {
    this.#evictExpired();
    return this.#deadLetters.get(id);
  }

  remove(id: string): void {
    this.#delete(id);
    this.#evictExpired();
  }

  clear(): void {
    this.#cancelTimer();
    this.#deadLetters.clear();
    this.#bytes = 0;
  }

  #delete(id: string): void {
    const work = this.#deadLetters.get(id);
    if (work === undefined) return;
    this.#deadLetters.delete(id);
    this.#bytes -= work.job.size;
  }

  #evictExpired(): void {
    const { maxCount, maxBytes, retentionMs, timers, now } = this.#options;
    const oldest = now() - retentionMs;
    for (const { id, failedAt } of this.#deadLetters.values()) {
      if (this.#deadLetters.size <= maxCount && this.#bytes <= maxBytes && failedAt > oldest) break;
      this.#delete(id);
    }
    // They have the clients' headers, which leave in time also when nobody asks.
    this.#cancelTimer();
    const [next] = this.#deadLetters.values();
    this.#cancelTimer =
      next === undefined ? () => {} : timers.after(next.failedAt - oldest, () => this.#evictExpired());
  }
}
