import type { EnrichmentJob } from '../enrichmentJob.ts';

/** One run of a job, through all its attempts. */
export interface JobRun {
  readonly id: string;
  readonly job: EnrichmentJob;
}

export interface UnfinishedJobRun extends JobRun {
  /** Keys of the fields that have no update yet. */
  readonly pendingKeys: readonly string[];
  readonly failedAttempts: number;
}

export interface ResumableJobRun extends UnfinishedJobRun {
  readonly resumedFrom: 'dead process' | 'dead letter';
}

export interface JobRunFailure {
  /** How many attempts have failed. */
  readonly attempts: number;
  /** Message for operators. */
  readonly error: string;
}

/** `dropped`: ended without another attempt, and no dead letter. `released`: this process stops, and another one can
 *  resume the run. */
export type JobRunEnd =
  | { readonly kind: 'done' | 'dropped' | 'released' }
  | (JobRunFailure & {
      readonly kind: 'failed';
      /** Keys of the fields that no attempt could fetch. */
      readonly failedKeys: readonly string[];
    });
