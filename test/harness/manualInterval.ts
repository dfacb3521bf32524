import { systemTimers, type Timers } from '../../gateway/time/timers.ts';
import { Changes } from './changes.ts';

/** Real time, except for timers with one delay: these fire when the test calls `fire`. */
export class ManualInterval implements Timers {
  readonly #ms: number;
  readonly #starts = new Changes();
  #startCount = 0;
  #run: (() => void) | undefined;

  constructor(ms: number) {
    this.#ms = ms;
  }

  now(): number {
    return systemTimers.now();
  }

  after(ms: number, run: () => void): () => void {
    if (ms !== this.#ms) return systemTimers.after(ms, run);
    this.#run = run;
    this.#startCount += 1;
    this.#starts.notify();
    return () => {
      if (this.#run === run) this.#run = undefined;
    };
  }

  /** Resolves when `count` such timers have started in total, and the last one is pending. */
  waitForStart(count = 1): Promise<void> {
    return this.#starts.until(() => this.#startCount >= count && this.#run !== undefined);
  }

  /** Waits for such a timer to start, and fires it. */
  async fire(): Promise<void> {
    await this.waitForStart();
    const run = this.#run;
    this.#run = undefined;
    run?.();
  }
}
