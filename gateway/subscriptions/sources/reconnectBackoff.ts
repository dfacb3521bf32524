import type { GatewayError } from '../../errors.ts';
import { backoffDelayMs } from '../../time/backoffDelayMs.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import type { SourceEndpoint } from './subscriptionSource.ts';

export interface ReconnectBackoffOptions {
  readonly timers: Timers;
  readonly random: () => number;
  readonly limits: SourceEndpoint['reconnect'];
}

/** The attempts to get a lost connection back: how many there may be in a row, and when the next is due. */
export class ReconnectBackoff {
  readonly #timers: Timers;
  readonly #random: () => number;
  readonly #limits: SourceEndpoint['reconnect'];
  #attempts = 0;
  #cancelTimer: CancelTimer | undefined;

  constructor({ timers, random, limits }: ReconnectBackoffOptions) {
    this.#timers = timers;
    this.#random = random;
    this.#limits = limits;
  }

  /** Runs `connect` when the next attempt is due. False if there have been as many as there may be. */
  schedule(connect: () => void): boolean {
    this.stop();
    if (this.#attempts >= this.#limits.attempts) return false;
    this.#attempts += 1;
    const { minDelayMs, maxDelayMs } = this.#limits;
    const delays = { minDelay: minDelayMs, maxDelay: maxDelayMs };
    this.#cancelTimer = this.#timers.after(backoffDelayMs(this.#attempts, delays, this.#random), connect);
    return true;
  }

  /** Connected, which by itself is no success: a server that accepts and then drops every connection would be asked
   *  for ever. One that stands for as long as the longest delay is one. */
  markConnected(): void {
    this.stop();
    if (this.#attempts === 0) return;
    this.#cancelTimer = this.#timers.after(this.#limits.maxDelayMs, () => this.reset());
  }

  /** The connection is good: attempts are counted anew. */
  reset(): void {
    if (this.#attempts === 0) return;
    this.#attempts = 0;
    this.stop();
  }

  stop(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }
}

/** Too early, too many, too slow: the same request may be answered another time. */
const transientStatuses: ReadonlySet<unknown> = new Set([408, 425, 429]);

/** Whether the connection may be had at another attempt. What was refused, or answered by nonsense, will be again. */
export function isTransientError({ code, extensions }: GatewayError): boolean {
  if (code === 'SUBGRAPH_UNREACHABLE' || code === 'SUBGRAPH_TIMEOUT') return true;
  const { http } = extensions;
  return typeof http === 'object' && http !== null && 'status' in http && transientStatuses.has(http.status);
}
