import type { CancelTimer, Timers } from './timers.ts';

interface InactivityTimerOptions {
  readonly timers: Timers;
  /** Milliseconds. */
  readonly intervalMs: number;
  /** When there was activity that is not recorded by `recordActivity`, on the clock of `timers`. */
  readonly activeAtMs?: () => number;
  /** Called `intervalMs` after the last activity, and again after each further interval without any. */
  readonly onIdle: () => void;
}

/** Reports when a connection or a subscription has been idle for an interval. Recording activity only reads the clock. The
 *  timer is not restarted for it: when the timer fires early, it waits for the remaining part of the interval. */
export class InactivityTimer {
  readonly #options: InactivityTimerOptions;
  #lastActivityMs: number;
  #cancel: CancelTimer | undefined;

  constructor(options: InactivityTimerOptions) {
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
    const { timers, intervalMs, onIdle, activeAtMs } = this.#options;
    const lastActivityMs = Math.max(this.#lastActivityMs, activeAtMs?.() ?? 0);
    // Rounded up: node:timers drops fractions of a millisecond, and would fire too early.
    const remainingMs = Math.ceil(lastActivityMs + intervalMs - timers.now());
    if (remainingMs > 0) {
      this.#arm(remainingMs);
      return;
    }
    this.recordActivity();
    this.#arm(intervalMs);
    onIdle();
  }
}
