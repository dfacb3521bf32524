export interface BackoffLimits {
  /** Milliseconds. */
  readonly minDelay: number;
  readonly maxDelay: number;
}

/** The delay in milliseconds before retry number `attempt`, counted from 1: exponential up to `maxDelay`, with a random
 *  half as jitter so that many processes do not reconnect at the same moment. */
export function backoffDelayMs(attempt: number, limits: BackoffLimits, random = Math.random) {
  return Math.round(longestBackoffMs(attempt, limits) * (0.5 + random() / 2));
}

/** The longest delay in milliseconds before retry number `attempt`, counted from 1: doubles each time, up to `maxDelay`. */
export function longestBackoffMs(attempt: number, { minDelay, maxDelay }: BackoffLimits): number {
  return Math.min(maxDelay, minDelay * 2 ** Math.min(attempt - 1, 30));
}
