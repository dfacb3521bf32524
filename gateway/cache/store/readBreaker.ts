import type { CancelTimer, Timers } from '../../time/timers.ts';

export interface ReadBreakerOptions {
  readonly timers: Timers;
  /** Milliseconds between two probes. */
  readonly probeInterval: number;
  /** Asks for something small; whether that was answered in time. No request waits for it. */
  probe(): Promise<boolean>;
}

const strikesToOpen = 3;

/** Spares requests the wait for what has not answered in time thrice in a row, until a probe was. */
export class ReadBreaker {
  readonly #options: ReadBreakerOptions;
  #strikes = 0;
  #cancelTimer: CancelTimer | undefined;

  constructor(options: ReadBreakerOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#strikes >= strikesToOpen;
  }

  strike(): void {
    if (this.isOpen) return;
    this.#strikes += 1;
    if (this.isOpen) this.#wait();
  }

  succeed(): void {
    // Once open, only a probe closes it: an answer that came too late says nothing about the next one.
    if (!this.isOpen) this.#strikes = 0;
  }

  close(): void {
    this.#strikes = 0;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #wait(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.#options.timers.after(this.#options.probeInterval, async () => {
      this.#cancelTimer = undefined;
      const isAnswered = await this.#options.probe();
      if (!this.isOpen || this.#cancelTimer !== undefined) return;
      if (isAnswered) this.close();
      else this.#wait();
    });
  }
}
