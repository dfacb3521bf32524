import type { Backoff } from './backoff.ts';

/** `enrichment.tokens` and `enrichment.jobs` of the configuration; times in milliseconds, sizes in bytes. */
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
    readonly takeOverAfter: number;
    readonly handOverTimeout: number;
    readonly maxSnapshotSize: number;
    readonly keepFailed: number;
    readonly keepFailedFor: number;
  };
}

/** How much longer than its tokens the log of a job is kept: who has begun to read it can read on. */
export const logGracePeriodMs = 10_000;
