import type { CancelTimer, Timers } from '../../time/timers.ts';

interface HeartbeatMonitorOptions {
  readonly timers: Timers;
  /** Milliseconds; 0 for no watch. */
  readonly intervalMs: number;
  /** Called after each interval in which nothing came, with how many of them there have been in a row. */
  onMissedHeartbeats(intervals: number): void;
}

/** Notices that nothing comes any more. One timer for each interval, none for each sign of life. */
export class HeartbeatMonitor {
  readonly #options: HeartbeatMonitorOptions;
  #hasActivity = false;
  #missedHeartbeats = 0;
  #cancelTimer: CancelTimer | undefined;

  constructor(options: HeartbeatMonitorOptions) {
    this.#options = options;
  }

  start(): void {
    this.stop();
    if (this.#options.intervalMs > 0) this.#scheduleCheck();
  }

  /** Something came. */
  recordActivity(): void {
    this.#hasActivity = true;
  }

  stop(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#hasActivity = false;
    this.#missedHeartbeats = 0;
  }

  #scheduleCheck(): void {
    this.#cancelTimer = this.#options.timers.after(this.#options.intervalMs, () => {
      this.#missedHeartbeats = this.#hasActivity ? 0 : this.#missedHeartbeats + 1;
      this.#hasActivity = false;
      // Before anyone is told, who may stop it.
      this.#scheduleCheck();
      if (this.#missedHeartbeats > 0) this.#options.onMissedHeartbeats(this.#missedHeartbeats);
    });
  }
}

/** Intervals without a sign of life after which a connection counts as lost. */
export const maxMissedHeartbeats = 3;
