interface BackoffLimits {
  /** Milliseconds. */
  readonly minDelay: number;
  readonly maxDelay: number;
}

/** Milliseconds before attempt number `attempt`, counted from 1: twice as long each time up to the longest, and of
 *  that a random part from the half on, so that many processes do not come back at once. */
export function backoffDelayMs(attempt: number, { minDelay, maxDelay }: BackoffLimits, random = Math.random) {
  const longest = Math.min(maxDelay, minDelay * 2 ** Math.min(attempt - 1, 30));
  return Math.round(longest * (0.5 + random() / 2));
}
