import { systemTimers, type Timers } from '../../gateway/time/timers.ts';

/** Real time, but for timers of one length: they fire when the test says so. */
export class HeldInterval implements Timers {
  readonly #ms: number;
  readonly #arrivals = new Set<() => void>();
  #begun = 0;
  #run: (() => void) | undefined;

  constructor(ms: number) {
    this.#ms = ms;
  }

  after(ms: number, run: () => void): () => void {
    if (ms !== this.#ms) return systemTimers.after(ms, run);
    this.#run = run;
    this.#begun += 1;
    for (const check of this.#arrivals) check();
    return () => {
      if (this.#run === run) this.#run = undefined;
    };
  }

  /** Resolves when as many have begun altogether, and the last of them waits. */
  begun(count = 1): Promise<void> {
    return new Promise((resolve) => {
      const check = (): void => {
        if (this.#begun < count || this.#run === undefined) return;
        this.#arrivals.delete(check);
        resolve();
      };
      this.#arrivals.add(check);
      check();
    });
  }

  /** Lets it pass, as soon as it has begun. */
  async pass(): Promise<void> {
    await this.begun();
    const run = this.#run;
    this.#run = undefined;
    run?.();
  }
}
