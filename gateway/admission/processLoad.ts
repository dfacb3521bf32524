import { usedShareOfOldGeneration } from '../memory/oldGeneration.ts';
import { type CancelTimer, systemTimers, type Timers } from '../time/timers.ts';

/** How busy the process was since the previous sample. */
export interface LoadSample {
  /** Mean delay of the event loop over the time, in milliseconds: how late the timer is whose interval a random moment falls
   *  into. */
  readonly eventLoopDelayMs: number;
  /** Used share of the old generation of V8's heap. */
  readonly memory: number;
}

export interface LoadSource {
  start(): void;
  /** The load since the previous call. */
  readSample(): LoadSample;
  stop(): void;
}

const intervalMs = 20;

/** Measures the load of this process. */
export class ProcessLoad implements LoadSource {
  readonly #timers: Timers;
  #cancelTimer: CancelTimer | undefined;
  /** Of the intervals that have ended since the previous sample. */
  #sumMs = 0;
  #sumOfSquares = 0;

  constructor(timers: Timers = systemTimers) {
    this.#timers = timers;
  }

  /** `monitorEventLoopDelay` of Node has the mean and the standard deviation of the intervals, too. To read both takes half
   *  a millisecond, longer than these timers. */
  start(): void {
    const startedAt = this.#timers.now();
    this.#cancelTimer = this.#timers.after(intervalMs, () => {
      const ms = this.#timers.now() - startedAt;
      this.#sumMs += ms;
      this.#sumOfSquares += ms ** 2;
      this.start();
    });
  }

  readSample(): LoadSample {
    // Each interval counts for as long as it took. Otherwise, a few short ones would hide one that blocks the event loop for
    // most of the time.
    const meanMs = this.#sumMs === 0 ? 0 : this.#sumOfSquares / this.#sumMs;
    this.#sumMs = 0;
    this.#sumOfSquares = 0;
    return { eventLoopDelayMs: Math.max(0, meanMs - intervalMs), memory: usedShareOfOldGeneration() };
  }

  stop(): void {
    this.#cancelTimer?.();
  }
}
