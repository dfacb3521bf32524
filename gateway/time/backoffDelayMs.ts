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

/** As `backoffDelayMs`, with full jitter ("Exponential Backoff And Jitter", AWS Architecture Blog), for requests that failed
 *  together and must not be sent again together. */
export function fullJitterMs(attempt: number, limits: BackoffLimits, random: () => number): number {
  return longestBackoffMs(attempt, limits) * random();
}

/** Doubles each time, up to `maxDelay`. */
function longestBackoffMs(attempt: number, { minDelay, maxDelay }: BackoffLimits): number {
  return Math.min(maxDelay, minDelay * 2 ** Math.min(attempt - 1, 30));
}
