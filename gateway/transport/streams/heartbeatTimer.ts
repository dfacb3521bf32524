import type { CancelTimer, Timers } from '../../time/timers.ts';

interface HeartbeatTimerOptions {
  readonly timers: Timers;
  /** Milliseconds. */
  readonly intervalMs: number;
  /** Called `intervalMs` after the last activity, and again after each further interval without any. */
  readonly onIdle: () => void;
}

/** Reports when a connection has been idle for an interval. Recording activity only reads the clock. The timer is not
 *  restarted for it: when the timer fires early, it waits for the remaining part of the interval. */
export class HeartbeatTimer {
  readonly #options: HeartbeatTimerOptions;
  #lastActivityMs: number;
  #cancel: CancelTimer | undefined;

  constructor(options: HeartbeatTimerOptions) {
    this.#options = options;
    this.#lastActivityMs = options.timers.now();
    this.#arm(options.intervalMs);
  }

  recordActivity(): void {
    this.#lastActivityMs = this.#options.timers.now();
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #arm(delayMs: number): void {
    this.#cancel = this.#options.timers.after(delayMs, () => this.#onTimer());
  }

  #onTimer(): void {
    const { timers, intervalMs, onIdle } = this.#options;
    // Rounded up: node:timers drops fractions of a millisecond, and would fire too early.
    const remainingMs = Math.ceil(this.#lastActivityMs + intervalMs - timers.now());
    if (remainingMs > 0) {
      this.#arm(remainingMs);
      return;
    }
    this.recordActivity();
    this.#arm(intervalMs);
    onIdle();
  }
}
