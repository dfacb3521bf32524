export interface Backoff {
  /** Milliseconds. */
  readonly base: number;
  readonly max: number;
}

/** Milliseconds before the attempt that follows on so many: anything up to a time that doubles with each ("full
 *  jitter"), so that what failed together does not come back together. */
export function retryDelayMs(attempts: number, { base, max }: Backoff, random: () => number): number {
  return Math.round(random() * Math.min(max, base * 2 ** Math.min(attempts - 1, 30)));
}
