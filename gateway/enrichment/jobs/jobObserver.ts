import type { EnrichmentPriority } from '../../operation/enrichmentRule.ts';

/** `failed`: the run became a dead letter, after its last attempt or because the retry budget is used up.
 *  `too large`: the only attempt failed. `evicted`: dropped for another job. `expired`: dropped because all its tokens
 *  have expired. */
export type JobOutcome = 'done' | 'failed' | 'too large' | 'evicted' | 'expired';

/** Receives the events of enrichment jobs that are counted. */
export interface JobObserver {
  /** A first response left with pending fields. `refused`: the job pool is full. */
  onEnqueued(event: {
    readonly priority: EnrichmentPriority;
    readonly outcome: 'created' | 'joined' | 'refused';
  }): void;
  /** Another attempt is scheduled. */
  onRetry(event: { readonly priority: EnrichmentPriority }): void;
  /** A job run has ended. */
  onSettled(event: { readonly priority: EnrichmentPriority; readonly outcome: JobOutcome }): void;
  /** This process resumes a job run. */
  onResumed(event: {
    readonly priority: EnrichmentPriority;
    readonly resumedFrom: 'dead process' | 'dead letter';
  }): void;
  /** A job run is lost if this process dies. `redis`: Redis does not have the run (yet). `too large`: its snapshot is
   *  not stored, so the run is not retried either. */
  onNotPersisted(event: { readonly reason: 'too large' | 'redis' }): void;
  /** Updates were evicted before their tokens expired, because all updates together are too many or too large. */
  onUpdatesEvicted(event: { readonly updates: number }): void;
}
