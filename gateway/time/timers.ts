/** Ends a timer that has not fired yet. */
export type CancelTimer = () => void;

/** The clock of what waits; tests set it. */
export interface Timers {
  after(ms: number, run: () => void): CancelTimer;
}

/** Real time. What only waits keeps no process alive. */
export const systemTimers: Timers = {
  after: (ms, run) => {
    const timer = setTimeout(run, ms).unref();
    return () => clearTimeout(timer);
  },
};
