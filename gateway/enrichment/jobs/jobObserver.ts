import type { EnrichmentPriority } from '../../operation/enrichmentRule.ts';

export type JobOutcome = 'done' | 'failed' | 'too large' | 'no room' | 'unwanted';

/** What becomes of late work, for those who count. */
export interface JobObserver {
  /** An answer left its rest behind. `refused`: there is no room. */
  onEnqueued(handed: {
    readonly priority: EnrichmentPriority;
    readonly outcome: 'begun' | 'joined' | 'refused';
  }): void;
  /** A job will be tried again. */
  onRetry(retry: { readonly priority: EnrichmentPriority }): void;
  /** Nothing more is done for a job. `failed`: it was put aside after its last attempt, or since the retry budget is
   *  used up; `too large`: it failed at its only attempt; `no room` and `unwanted`: it was dropped, for another one, or
   *  since all its tokens have expired. */
  onSettled(settled: { readonly priority: EnrichmentPriority; readonly outcome: JobOutcome }): void;
  /** This process goes on with a job of one that has died, or that was put aside. */
  onResumed(adopted: {
    readonly priority: EnrichmentPriority;
    readonly resumedFrom: 'dead process' | 'put aside';
  }): void;
  /** A job that is lost if this process dies. `redis`: Redis does not know of it (yet). `too large`: its snapshot is not
   *  kept, so that it is not tried again either. */
  onNotPersisted(kept: { readonly reason: 'too large' | 'redis' }): void;
  /** Updates that somebody could still have picked up were forgotten, since there are too many. */
  onUpdatesEvicted(forgotten: { readonly updates: number }): void;
}
