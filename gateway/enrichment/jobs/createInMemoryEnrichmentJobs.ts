import { systemTimers } from '../../time/timers.ts';
import { EnrichmentJobs, type EnrichmentJobsOptions } from './enrichmentJobs.ts';
import { MemoryJobStore } from './memoryJobStore.ts';

export type CommonJobsOptions = Pick<
  EnrichmentJobsOptions,
  'executor' | 'policy' | 'attemptTimeoutMs' | 'drainTimeoutMs' | 'observer' | 'log'
>;

/** Late work for one process by itself: what it has not finished ends with it. */
export function createInMemoryEnrichmentJobs(options: CommonJobsOptions): EnrichmentJobs {
  const { policy, observer } = options;
  const timers = systemTimers;
  const store = new MemoryJobStore({ policy, timers, now: Date.now, observer });
  return new EnrichmentJobs({ ...options, store, timers, monotonicNow: () => performance.now() });
}
