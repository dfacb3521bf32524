import type { RedisConfig } from '../../redis/redisOptions.ts';
import { systemTimers } from '../../time/timers.ts';
import type { CommonJobsOptions } from './createInMemoryEnrichmentJobs.ts';
import { EnrichmentJobs } from './enrichmentJobs.ts';
import { JobStoreProblems } from './jobStoreProblems.ts';
import { RedisJobStore } from './redisJobStore.ts';

/** Late work that several processes share: what one of them has not finished when it ends, another goes on with. */
export function createRedisEnrichmentJobs(
  options: CommonJobsOptions & { readonly config: RedisConfig },
): EnrichmentJobs {
  const { policy, observer, config, log } = options;
  const timers = systemTimers;
  const problems = new JobStoreProblems({ log, now: Date.now });
  const store = new RedisJobStore({
    policy,
    timers,
    now: Date.now,
    observer,
    config,
    onFailure: (failure) => problems.report(failure),
  });
  return new EnrichmentJobs({ ...options, store, timers, monotonicNow: () => performance.now() });
}
