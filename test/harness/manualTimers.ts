import type { Timers } from '../../gateway/time/timers.ts';

export interface ManualTimers extends Timers {
  /** The waits that have not fired, in milliseconds, in order of their start. */
  pendingMs(): number[];
  /** Fires the oldest wait of this length; throws when there is none. */
  fire(ms: number): void;
  /** Resolves when the next wait of this length starts, at once when one that nobody asked for has. */
  waitForTimer(ms: number): Promise<void>;
}

/** A clock that moves only when a test says so. */
export function createManualTimers(): ManualTimers {
  const timers = new Set<{ ms: number; run: () => void }>();
  const unseen: number[] = [];
  const watchers = new Set<{ ms: number; resolve: () => void }>();
  return {
    after: (ms, run) => {
      const timer = { ms, run };
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
      if (timer === undefined) throw new Error(`nothing waits for ${ms} ms`);
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
