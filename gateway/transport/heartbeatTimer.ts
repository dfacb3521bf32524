import type { CancelTimer, Timers } from '../time/timers.ts';

interface HeartbeatTimerOptions {
  readonly timers: Timers;
  readonly intervalMs: number;
  /** Called after an interval in which nothing was noted, again after each further one. */
  readonly onIdle: () => void;
}

/** Notices that a connection has been quiet, with one timer that is never set anew for what happens meanwhile. */
export class HeartbeatTimer {
  readonly #options: HeartbeatTimerOptions;
  #isIdle = true;
  #cancel: CancelTimer | undefined;

  constructor(options: HeartbeatTimerOptions) {
    this.#options = options;
    this.#arm();
  }

  /** Something went over the connection. */
  recordActivity(): void {
    this.#isIdle = false;
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #arm(): void {
    const { timers, intervalMs } = this.#options;
    this.#cancel = timers.after(intervalMs, () => {
      const wasQuiet = this.#isIdle;
      this.#isIdle = true;
      this.#arm();
      if (wasQuiet) this.#options.onIdle();
    });
  }
}
