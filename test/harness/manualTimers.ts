import type { Timers } from '../../gateway/time/timers.ts';

export interface ManualTimers extends Timers {
  /** The delays of the timers that have not fired, in milliseconds, in the order of their start. */
  pendingMs(): number[];
  /** Moves the clock to the time of the oldest timer with this delay, and fires that timer only.
   *  @throws {Error} when no timer has it. */
  fire(ms: number): void;
  /** Resolves when a timer with this delay starts, at once for a timer that no earlier call has returned. */
  waitForTimer(ms: number): Promise<void>;
}

/** Creates a clock that only a test moves. */
export function createManualTimers(): ManualTimers {
  const timers = new Set<{ ms: number; at: number; run: () => void }>();
  const unseen: number[] = [];
  const watchers = new Set<{ ms: number; resolve: () => void }>();
  let nowMs = 0;
  return {
    now: () => nowMs,
    after: (ms, run) => {
      const timer = { ms, at: nowMs + ms, run };
      timers.add(timer);
      const watcher = [...watchers].find((candidate) => candidate.ms === ms);
      if (watcher === undefined) unseen.push(ms);
      else {
        watchers.delete(watcher);
        watcher.resolve();
      }
      return () => timers.delete(timer);
    },
    pendingMs: () => [...timers].map(({ ms }) => ms),
    fire: (ms) => {
      const timer = [...timers].find((candidate) => candidate.ms === ms);
      if (timer === undefined) throw new Error(`No timer has a delay of ${ms} ms.`);
      nowMs = Math.max(nowMs, timer.at);
      timers.delete(timer);
      timer.run();
    },
    waitForTimer: (ms) => {
      const seen = unseen.indexOf(ms);
      if (seen >= 0) {
        unseen.splice(seen, 1);
        return Promise.resolve();
      }
      return new Promise((resolve) => watchers.add({ ms, resolve }));
    },
  };
}
