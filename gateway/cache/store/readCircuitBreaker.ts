import type { CancelTimer, Timers } from '../../time/timers.ts';

interface ReadCircuitBreakerOptions {
  readonly timers: Timers;
  /** Milliseconds between two probes. */
  readonly probeIntervalMs: number;
  /** Asks for something small; whether that was answered in time. No request waits for it. */
  probe(): Promise<boolean>;
}

const failureThreshold = 3;

/** Spares requests the wait for what has not answered in time thrice in a row, until a probe was. */
export class ReadCircuitBreaker {
  readonly #options: ReadCircuitBreakerOptions;
  #consecutiveFailures = 0;
  #cancelTimer: CancelTimer | undefined;

  constructor(options: ReadCircuitBreakerOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#consecutiveFailures >= failureThreshold;
  }

  recordFailure(): void {
    if (this.isOpen) return;
    this.#consecutiveFailures += 1;
    if (this.isOpen) this.#scheduleProbe();
  }

  recordSuccess(): void {
    // Once open, only a probe closes it: an answer that came too late says nothing about the next one.
    if (!this.isOpen) this.#consecutiveFailures = 0;
  }

  reset(): void {
    this.#consecutiveFailures = 0;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #scheduleProbe(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.#options.timers.after(this.#options.probeIntervalMs, async () => {
      this.#cancelTimer = undefined;
      const isAnswered = await this.#options.probe();
      if (!this.isOpen || this.#cancelTimer !== undefined) return;
      if (isAnswered) this.reset();
      else this.#scheduleProbe();
    });
  }
}
