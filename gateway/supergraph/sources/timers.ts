/** Ends a timer that has not fired yet. */
export type CancelTimer = () => void;

/** The clock of a source; tests set it. */
export interface Timers {
  after(ms: number, run: () => void): CancelTimer;
}

/** Real time. A source that only waits keeps no process alive. */
export const systemTimers: Timers = {
  after: (ms, run) => {
    const timer = setTimeout(run, ms).unref();
    return () => clearTimeout(timer);
  },
};
