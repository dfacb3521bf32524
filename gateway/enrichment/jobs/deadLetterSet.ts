import type { CancelTimer, Timers } from '../../time/timers.ts';
import type { JobRun, JobRunFailure } from './jobRun.ts';

interface DeadLetter extends JobRun, JobRunFailure {
  /** Keys of the fields that no attempt could fetch. */
  readonly failedKeys: readonly string[];
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly failedAt: number;
}

interface DeadLetterSetOptions {
  readonly maxCount: number;
  /** Maximum size of their jobs together. */
  readonly maxBytes: number;
  readonly retentionMs: number;
  readonly timers: Timers;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Failed job runs that an operator can list and retry, bounded: the oldest are evicted first. */
export class DeadLetterSet {
  readonly #options: DeadLetterSetOptions;
  readonly #deadLetters = new Map<string, DeadLetter>();
  #bytes = 0;
  #cancelTimer: CancelTimer = () => {};

  constructor(options: DeadLetterSetOptions) {
    this.#options = options;
  }

  /** Adds a run that is not in the set. */
  add(deadLetter: DeadLetter): void {
    this.#deadLetters.set(deadLetter.id, deadLetter);
    this.#bytes += deadLetter.job.size;
    this.#evictSurplus();
  }

  /** In the order in which they failed. */
  all(): readonly DeadLetter[] {
    return [...this.#deadLetters.values()];
  }

  get(id: string): DeadLetter | undefined {
    return this.#deadLetters.get(id);
  }

  /** Removes one that is in the set. */
  remove({ id, job }: DeadLetter): void {
    this.#deadLetters.delete(id);
    this.#bytes -= job.size;
  }

  /** Nothing is added later. */
  clear(): void {
    this.#cancelTimer();
    this.#deadLetters.clear();
  }

  #evictSurplus(): void {
    const { maxCount, maxBytes, retentionMs, timers, now } = this.#options;
    const expiredAt = now() - retentionMs;
    for (const deadLetter of this.#deadLetters.values()) {
      const isExpired = deadLetter.failedAt <= expiredAt;
      if (!isExpired && this.#deadLetters.size <= maxCount && this.#bytes <= maxBytes) break;
      this.remove(deadLetter);
    }
    // Dead letters contain headers of clients: they must expire even if nothing else calls this.
    this.#cancelTimer();
    const [oldest] = this.#deadLetters.values();
    this.#cancelTimer =
      oldest === undefined ? () => {} : timers.after(oldest.failedAt - expiredAt, () => this.#evictSurplus());
  }
}
