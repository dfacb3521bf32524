import { describeConnectionError, RedisFailure, type RedisFailureKind } from '../../redis/redisFailure.ts';
import { describeAddress, isRedisConfigured, type RedisConfig } from '../../redis/redisOptions.ts';
import { ProblemLog, type ProblemLogOptions } from '../../telemetry/problemLog.ts';
import { EnrichmentJobs, type EnrichmentJobsOptions } from './enrichmentJobs.ts';
import { MemoryJobStore } from './memoryJobStore.ts';
import { RedisJobStore } from './redisJobStore.ts';

type CreateEnrichmentJobsOptions = Pick<
  EnrichmentJobsOptions,
  'executor' | 'policy' | 'attemptTimeoutMs' | 'isShed' | 'timers' | 'observer' | 'log'
> & {
  readonly redis: RedisConfig;
  /** Milliseconds since 1970. */
  now(): number;
};

/** The enrichment jobs of this process. With Redis, any process serves their tokens, and another one reclaims the jobs
 *  of a process that dies; without Redis, unfinished jobs are lost with the process. */
export function createEnrichmentJobs({
  redis,
  now,
  ...options
}: CreateEnrichmentJobsOptions): EnrichmentJobs {
  const { policy, timers, observer, log } = options;
  const storeOptions = { policy, timers, now, observer };
  const store = isRedisConfigured(redis)
    ? new RedisJobStore({
        ...storeOptions,
        config: redis,
        onFailure: createFailureReporter({ log, now, address: describeAddress(redis) }),
      })
    : new MemoryJobStore(storeOptions);
  return new EnrichmentJobs({ ...options, store });
}

/** Logs the first failure of each kind and minute. Failures of BullMQ have the kind `queue`. `address`: of Redis. */
export function createFailureReporter({
  address,
  ...options
}: Pick<ProblemLogOptions, 'log' | 'now'> & { readonly address: string }): (
  failure: RedisFailure | Error,
) => void {
  const message = 'Redis failed to store or read enrichment jobs. The gateway retries.';
  const problems = new ProblemLog<RedisFailureKind | 'queue'>({ ...options, message });
  return (failure) => {
    if (failure instanceof RedisFailure) problems.report(failure.kind, failure.cause.message);
    else problems.report('queue', describeConnectionError(failure, address));
  };
}
