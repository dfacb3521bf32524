import type { CancelTimer, Timers } from '../time/timers.ts';

interface ReadCircuitBreakerOptions {
  readonly timers: Timers;
  readonly probeIntervalMs: number;
  /** Sends a small command. Resolves with whether Redis answered in time. */
  probe(): Promise<boolean>;
}

type BreakerState =
  | { readonly kind: 'closed'; consecutiveFailures: number }
  | { readonly kind: 'open'; readonly cancelProbe: CancelTimer }
  /** A probe is running. */
  | { readonly kind: 'half-open' };

const failureThreshold = 3;

/** Circuit breaker for reads: opens after three consecutive timeouts, so that requests do not wait for Redis, and closes
 *  when a probe is answered in time. */
export class ReadCircuitBreaker {
  readonly #options: ReadCircuitBreakerOptions;
  #state: BreakerState = { kind: 'closed', consecutiveFailures: 0 };

  constructor(options: ReadCircuitBreakerOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#state.kind !== 'closed';
  }

  recordFailure(): void {
    if (this.#state.kind !== 'closed') return;
    this.#state.consecutiveFailures += 1;
    if (this.#state.consecutiveFailures >= failureThreshold) this.#open();
  }

  recordSuccess(): void {
    // Only a probe closes the breaker: the answer to a read that was sent earlier does not mean that Redis recovered.
    if (this.#state.kind === 'closed') this.#state.consecutiveFailures = 0;
  }

  reset(): void {
    if (this.#state.kind === 'open') this.#state.cancelProbe();
    this.#state = { kind: 'closed', consecutiveFailures: 0 };
  }

  #open(): void {
    const { timers, probeIntervalMs } = this.#options;
    this.#state = { kind: 'open', cancelProbe: timers.after(probeIntervalMs, () => this.#probe()) };
  }

  async #probe(): Promise<void> {
    const halfOpen: BreakerState = { kind: 'half-open' };
    this.#state = halfOpen;
    const isAnswered = await this.#options.probe();
    // The breaker was reset meanwhile.
    if (this.#state !== halfOpen) return;
    if (isAnswered) this.reset();
    else this.#open();
  }
}
