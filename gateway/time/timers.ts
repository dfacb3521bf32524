/** Cancels a timer that has not fired yet. */
export type CancelTimer = () => void;

/** The longest delay of a timer of Node, in milliseconds: it stores a signed 32-bit number, and a longer delay ends at once. */
export const maxTimerMs = 2 ** 31 - 1;

/** The clock that timeouts and intervals are measured with. Tests replace it. */
export interface Timers {
  /** Milliseconds on a monotonic clock, since an arbitrary moment. */
  now(): number;
  /** Calls `run` once, after `ms` milliseconds, or `maxTimerMs` if that is less. */
  after(ms: number, run: () => void): CancelTimer;
}

/** Real time. A timer alone does not keep the process running. */
export const systemTimers: Timers = {
  now: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, Math.min(ms, maxTimerMs)).unref();
    return () => clearTimeout(timer);
  },
};
