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
  readonly now: () => number;
}

/** Jobs that failed for good, until somebody has a look; the oldest leave first. */
export class PutAside {
  readonly #options: PutAsideOptions;
  readonly #works = new Map<string, FailedWork>();
  #bytes = 0;

  constructor(options: PutAsideOptions) {
    this.#options = options;
  }

  add(work: FailedWork): void {
    this.remove(work.id);
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
    const work = this.#works.get(id);
    if (work === undefined) return;
    this.#works.delete(id);
    this.#bytes -= work.job.size;
  }

  #forgetOld(): void {
    const { most, mostBytes, keepFor, now } = this.#options;
    const oldest = now() - keepFor;
    for (const { id, failedAt } of this.#works.values()) {
      if (this.#works.size <= most && this.#bytes <= mostBytes && failedAt > oldest) break;
      this.remove(id);
    }
  }
}
