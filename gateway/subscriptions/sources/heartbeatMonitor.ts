import type { CancelTimer, Timers } from '../../time/timers.ts';

interface HeartbeatMonitorOptions {
  readonly timers: Timers;
  /** Milliseconds; 0 disables the monitor. */
  readonly intervalMs: number;
  /** Called after each interval without activity. `intervals`: how many of them there were in a row. */
  onMissedHeartbeats(intervals: number): void;
}

/** Reports intervals without activity on a connection. Starts one timer for each interval, and none for each activity. */
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
      // Scheduled before the callback, which may call `stop`.
      this.#scheduleCheck();
      if (this.#missedHeartbeats > 0) this.#options.onMissedHeartbeats(this.#missedHeartbeats);
    });
  }
}

/** A connection counts as lost after this many intervals without activity. */
export const maxMissedHeartbeats = 3;
