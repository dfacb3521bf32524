import type { CancelTimer, Timers } from '../time/timers.ts';

interface IdleTimerOptions {
  readonly timers: Timers;
  /** Milliseconds; 0 for no limit. */
  readonly timeoutMs: number;
  onIdle(): void;
}

/** Calls `onIdle` once, after `timeoutMs` without a call of `restart`. */
export class IdleTimer {
  readonly #options: IdleTimerOptions;
  #cancel: CancelTimer | undefined;

  constructor(options: IdleTimerOptions) {
    this.#options = options;
    this.restart();
  }

  restart(): void {
    const { timers, timeoutMs, onIdle } = this.#options;
    if (timeoutMs === 0) return;
    this.#cancel?.();
    this.#cancel = timers.after(timeoutMs, onIdle);
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }
}
