import type { GatewayError } from '../../errors.ts';
import { httpStatusOf } from '../../subgraphs/callErrors.ts';
import { backoffDelayMs } from '../../time/backoffDelayMs.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import type { SourceEndpoint } from './subscriptionSource.ts';

interface ReconnectBackoffOptions {
  readonly timers: Timers;
  readonly random: () => number;
  readonly limits: SourceEndpoint['reconnect'];
}

/** Schedules reconnections after a lost connection, with growing delays and a limit of attempts in a row. */
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

  /** Calls `connect` after the next delay. Returns false when all attempts are used up. */
  schedule(connect: () => void): boolean {
    this.stop();
    if (this.#attempts >= this.#limits.attempts) return false;
    this.#attempts += 1;
    const { minDelayMs, maxDelayMs } = this.#limits;
    const delays = { minDelay: minDelayMs, maxDelay: maxDelayMs };
    this.#cancelTimer = this.#timers.after(backoffDelayMs(this.#attempts, delays, this.#random), connect);
    return true;
  }

  /** Called when connected. The attempts are counted anew only when the connection has lasted for the longest delay: a
   *  server that accepts and drops every connection would otherwise be retried forever. */
  markConnected(): void {
    this.stop();
    if (this.#attempts === 0) return;
    this.#cancelTimer = this.#timers.after(this.#limits.maxDelayMs, () => this.reset());
  }

  /** The connection works: counts the attempts anew. */
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

/** Request Timeout, Too Early and Too Many Requests: the same request may succeed later. */
const transientStatuses: ReadonlySet<unknown> = new Set([408, 425, 429]);

/** Whether another attempt may succeed. A refusal or an invalid answer would be repeated. */
export function isTransientError(error: GatewayError): boolean {
  if (error.code === 'SUBGRAPH_UNREACHABLE' || error.code === 'SUBGRAPH_TIMEOUT') return true;
  return transientStatuses.has(httpStatusOf(error));
}
