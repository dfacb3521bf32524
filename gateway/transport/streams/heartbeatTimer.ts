import type { CancelTimer, Timers } from '../../time/timers.ts';

interface HeartbeatTimerOptions {
  readonly timers: Timers;
  /** Milliseconds. */
  readonly intervalMs: number;
  /** Called `intervalMs` after the last activity, and again after each further interval without any. */
  readonly onIdle: () => void;
}

/** Reports when a connection has been idle for an interval. Activity costs one look at the clock: the timer is not set
 *  again for it, but when it fires it waits for the part of the interval that is left. */
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
