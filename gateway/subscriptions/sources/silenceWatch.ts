import type { CancelTimer, Timers } from '../../time/timers.ts';

export interface SilenceWatchOptions {
  readonly timers: Timers;
  /** Milliseconds; 0 for no watch. */
  readonly intervalMs: number;
  /** Called after each interval in which nothing came, with how many of them there have been in a row. */
  onSilence(intervals: number): void;
}

/** Notices that nothing comes any more. One timer for each interval, none for each sign of life. */
export class SilenceWatch {
  readonly #options: SilenceWatchOptions;
  #hasHeard = false;
  #silentIntervals = 0;
  #cancelTimer: CancelTimer | undefined;

  constructor(options: SilenceWatchOptions) {
    this.#options = options;
  }

  start(): void {
    this.stop();
    if (this.#options.intervalMs > 0) this.#wait();
  }

  /** Something came. */
  heard(): void {
    this.#hasHeard = true;
  }

  stop(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#hasHeard = false;
    this.#silentIntervals = 0;
  }

  #wait(): void {
    this.#cancelTimer = this.#options.timers.after(this.#options.intervalMs, () => {
      this.#silentIntervals = this.#hasHeard ? 0 : this.#silentIntervals + 1;
      this.#hasHeard = false;
      // Before anyone is told, who may stop it.
      this.#wait();
      if (this.#silentIntervals > 0) this.#options.onSilence(this.#silentIntervals);
    });
  }
}

/** Intervals without a sign of life after which a connection counts as lost. */
export const toleratedSilence = 3;
