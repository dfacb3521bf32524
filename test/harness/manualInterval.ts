import { systemTimers, type Timers } from '../../gateway/time/timers.ts';
import { Changes } from './changes.ts';

/** Real time, except for timers with one delay: these fire when the test calls `fire`. */
export class ManualInterval implements Timers {
  readonly #ms: number;
  readonly #starts = new Changes();
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
    this.#starts.notify();
    return () => {
      if (this.#run === run) this.#run = undefined;
    };
  }

  /** Resolves when such a timer is pending. */
  waitForStart(): Promise<void> {
    return this.#starts.until(() => this.#run !== undefined);
  }

  /** Waits for such a timer to start, and fires it. */
  async fire(): Promise<void> {
    await this.waitForStart();
    const run = this.#run;
    this.#run = undefined;
    run?.();
  }
}
