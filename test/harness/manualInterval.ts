import { systemTimers, type Timers } from '../../gateway/time/timers.ts';

/** Real time, but for timers of one length: they fire when the test says so. */
export class ManualInterval implements Timers {
  readonly #ms: number;
  readonly #waiters = new Set<() => void>();
  #startCount = 0;
  #run: (() => void) | undefined;

  constructor(ms: number) {
    this.#ms = ms;
  }

  after(ms: number, run: () => void): () => void {
    if (ms !== this.#ms) return systemTimers.after(ms, run);
    this.#run = run;
    this.#startCount += 1;
    for (const check of this.#waiters) check();
    return () => {
      if (this.#run === run) this.#run = undefined;
    };
  }

  /** Resolves when as many have begun altogether, and the last of them waits. */
  waitForStart(count = 1): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (this.#startCount < count || this.#run === undefined) return;
        this.#waiters.delete(check);
        resolve();
      };
      this.#waiters.add(check);
      check();
    });
  }

  /** Lets it pass, as soon as it has begun. */
  async fire(): Promise<void> {
    await this.waitForStart();
    const run = this.#run;
    this.#run = undefined;
    run?.();
  }
}
