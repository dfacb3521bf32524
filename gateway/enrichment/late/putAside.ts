import type { CancelTimer, Timers } from '../../time/timers.ts';
import type { NewWork, WorkFailure } from './lateStore.ts';

export interface FailedWork extends NewWork, WorkFailure {
  /** Keys of the places that got nothing. */
  readonly keys: readonly string[];
  /** By the clock, in milliseconds. */
  readonly begunAt: number;
  readonly failedAt: number;
}

export interface PutAsideOptions {
  /** Most at a time. */
  readonly most: number;
  /** Most bytes of their jobs. */
  readonly mostBytes: number;
  /** Milliseconds. */
  readonly keepFor: number;
  readonly timers: Timers;
  /** The clock, in milliseconds. */
  readonly now: () => number;
}

/** Jobs that failed for good, until somebody has a look; the oldest leave first. */
export class PutAside {
  readonly #options: PutAsideOptions;
  readonly #works = new Map<string, FailedWork>();
  #bytes = 0;
  #cancelTimer: CancelTimer = () => {};

  constructor(options: PutAsideOptions) {
    this.#options = options;
  }

  add(work: FailedWork): void {
    this.#delete(work.id);
    this.#works.set(work.id, work);
    this.#bytes += work.job.size;
    this.#forgetOld();
  }

  /** In the order in which they failed. */
  all(): readonly FailedWork[] {
    this.#forgetOld();
    return [...this.#works.values()];
  }

  get(id: string): FailedWork | undefined {
    this.#forgetOld();
    return this.#works.get(id);
  }

  remove(id: string): void {
    this.#delete(id);
    this.#forgetOld();
  }

  clear(): void {
    this.#cancelTimer();
    this.#works.clear();
    this.#bytes = 0;
  }

  #delete(id: string): void {
    const work = this.#works.get(id);
    if (work === undefined) return;
    this.#works.delete(id);
    this.#bytes -= work.job.size;
  }

  #forgetOld(): void {
    const { most, mostBytes, keepFor, timers, now } = this.#options;
    const oldest = now() - keepFor;
    for (const { id, failedAt } of this.#works.values()) {
      if (this.#works.size <= most && this.#bytes <= mostBytes && failedAt > oldest) break;
      this.#delete(id);
    }
    // They have the clients' headers, which leave in time also when nobody asks.
    this.#cancelTimer();
    const [next] = this.#works.values();
    this.#cancelTimer =
      next === undefined ? () => {} : timers.after(next.failedAt - oldest, () => this.#forgetOld());
  }
}
