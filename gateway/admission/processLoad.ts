import { monitorEventLoopDelay } from 'node:perf_hooks';
import { usedShareOfOldGeneration } from '../memory/oldGeneration.ts';

/** How busy the process was since the previous sample. */
export interface LoadSample {
  /** Mean delay of the event loop, in milliseconds. */
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

const resolutionMs = 20;

/** Measures the load of this process. */
export class ProcessLoad implements LoadSource {
  readonly #intervals = monitorEventLoopDelay({ resolution: resolutionMs });
  #count = 0;
  #sumMs = 0;

  start(): void {
    this.#intervals.enable();
  }

  readSample(): LoadSample {
    // The histogram is not reset, because a reset drops the interval that is running: with long turns of the event loop,
    // that would be every one.
    const { count, mean } = this.#intervals;
    const sumMs = count === 0 ? 0 : (count * mean) / 1e6;
    const newCount = count - this.#count;
    const meanMs = newCount === 0 ? 0 : (sumMs - this.#sumMs) / newCount;
    this.#count = count;
    this.#sumMs = sumMs;
    // The histogram has the whole intervals between its timers.
    return { eventLoopDelayMs: Math.max(0, meanMs - resolutionMs), memory: usedShareOfOldGeneration() };
  }

  stop(): void {
    this.#intervals.disable();
  }
}
