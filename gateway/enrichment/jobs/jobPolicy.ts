import { fullJitterMs } from '../../time/backoffDelayMs.ts';

interface Backoff {
  readonly base: number;
  readonly max: number;
}

/** `enrichment.tokens` and `enrichment.jobs` of the configuration. Times are in milliseconds, sizes in bytes. */
export interface JobPolicy {
  readonly tokens: { readonly expireAfter: number };
  readonly jobs: {
    readonly maxPending: number;
    readonly maxPendingSize: number;
    readonly maxUpdatesSize: number;
    readonly concurrency: number;
    readonly attempts: number;
    readonly backoff: Backoff;
    readonly budgetRatio: number;
    readonly reclaimAfter: number;
    readonly enqueueTimeout: number;
    readonly maxSnapshotSize: number;
    readonly maxDeadLetters: number;
    readonly deadLetterRetention: number;
  };
}

/** How much longer than its tokens an update log is stored, so that a client that has begun to read can finish. */
export const logGracePeriodMs = 10_000;

/** The random delay before the next attempt, in milliseconds, after this many failed ones: exponential backoff with
 *  full jitter, so that jobs that failed together are not retried together. */
export function retryDelayMs(failedAttempts: number, { base, max }: Backoff, random: () => number): number {
  return fullJitterMs(failedAttempts, { minDelay: base, maxDelay: max }, random);
}
