import type { CancelTimer, Timers } from '../time/timers.ts';

export interface HeartbeatOptions {
  readonly timers: Timers;
  readonly intervalMs: number;
  /** Called after an interval in which nothing was noted, again after each further one. */
  readonly onQuiet: () => void;
}

/** Notices that a connection has been quiet, with one timer that is never set anew for what happens meanwhile. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #isQuiet = true;
  #cancel: CancelTimer | undefined;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#arm();
  }

  /** Something went over the connection. */
  note(): void {
    this.#isQuiet = false;
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #arm(): void {
    const { timers, intervalMs } = this.#options;
    this.#cancel = timers.after(intervalMs, () => {
      const wasQuiet = this.#isQuiet;
      this.#isQuiet = true;
      this.#arm();
      if (wasQuiet) this.#options.onQuiet();
    });
  }
}
