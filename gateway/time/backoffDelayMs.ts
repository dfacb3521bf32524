interface BackoffLimits {
  /** Milliseconds. */
  readonly minDelay: number;
  readonly maxDelay: number;
}

/** The delay in milliseconds before retry number `attempt`, counted from 1: exponential up to `maxDelay`, with a random
 *  half as jitter so that many processes do not reconnect at the same moment. */
export function backoffDelayMs(attempt: number, { minDelay, maxDelay }: BackoffLimits, random = Math.random) {
  const longest = Math.min(maxDelay, minDelay * 2 ** Math.min(attempt - 1, 30));
  return Math.round(longest * (0.5 + random() / 2));
}
