import type { EnrichmentJob, JobAttempt, JobExecutor } from '../../gateway/enrichment/enrichmentJob.ts';
import { createRedisEnrichmentJobs } from '../../gateway/enrichment/jobs/createRedisEnrichmentJobs.ts';
import { EnrichmentJobs } from '../../gateway/enrichment/jobs/enrichmentJobs.ts';
import type { JobPolicy } from '../../gateway/enrichment/jobs/jobPolicy.ts';
import { RedisJobStore } from '../../gateway/enrichment/jobs/redisJobStore.ts';
import { createRecordingObserver, policyWith, RecordingExecutor } from './enrichmentJobsFixture.ts';
import { FakeTimers } from './fakeTimers.ts';
import { longRedisTimeouts, parseRedisConfig } from './redisStoreFixture.ts';

/** Short times, where a test cannot make the order by itself. Not for two processes of which one may stand still: the
 *  other one would think that it is dead. */
const shortJobTimeouts = {
  takeOverAfter: 300,
  handOverTimeout: 10_000,
  backoff: { base: 1, max: 1 },
  maxPending: 10_000,
  maxPendingSize: 64_000_000,
  maxUpdatesSize: 64_000_000,
} satisfies Partial<JobPolicy['jobs']>;

/** Longer than any test takes: Redis counts by itself, and forgets what nobody can pick up any more. */
export const tokenTtlMs = 600_000;

function createJobPolicy(jobs: Partial<JobPolicy['jobs']>): JobPolicy {
  return { ...policyWith({ ...shortJobTimeouts, ...jobs }), tokens: { expireAfter: tokenTtlMs } };
}

function createReplicaConfig(url: string, keyPrefix: string) {
  const reconnect = { minDelay: '10ms', maxDelay: '50ms' };
  return parseRedisConfig({ url, keyPrefix, timeouts: longRedisTimeouts, reconnect });
}

/** Late work of one of several processes that share a Redis, with runs in the hands of the test. */
export function createEnrichmentReplica(
  url: string,
  keyPrefix: string,
  jobs: Partial<JobPolicy['jobs']> = {},
  executor: JobExecutor = new RecordingExecutor(),
) {
  const events: string[] = [];
  const warned: Readonly<Record<string, unknown>>[] = [];
  const enrichments = createRedisEnrichmentJobs({
    config: createReplicaConfig(url, keyPrefix),
    policy: createJobPolicy(jobs),
    executor,
    attemptTimeoutMs: 15_000,
    drainTimeoutMs: 1,
    observer: createRecordingObserver(events),
    log: { error: () => {}, warn: (fields) => warned.push(fields) },
  });
  return { enrichments, events, warned, [Symbol.asyncDispose]: () => enrichments.close() };
}

/** As `createEnrichmentReplica`, with clock and timers in the hands of the test. Redis and the library that keeps the queue have
 *  their own. */
export function createManualEnrichmentReplica(
  url: string,
  keyPrefix: string,
  jobs: Partial<JobPolicy['jobs']> = {},
) {
  const timers = new FakeTimers();
  let passed = 0;
  const policy = createJobPolicy(jobs);
  const [events, executor] = [[] as string[], new RecordingExecutor()];
  const observer = createRecordingObserver(events);
  const store = new RedisJobStore({
    config: createReplicaConfig(url, keyPrefix),
    policy,
    timers,
    now: () => Date.now() + passed,
    observer,
    onFailure: () => {},
  });
  const enrichments = new EnrichmentJobs({
    store,
    executor,
    policy,
    attemptTimeoutMs: 15_000,
    drainTimeoutMs: 1,
    timers,
    monotonicNow: () => passed,
    observer,
    log: { error: () => {}, warn: () => {} },
  });
  return {
    enrichments,
    events,
    executor,
    pass(ms: number): void {
      passed += ms;
      timers.advance(ms);
    },
    [Symbol.asyncDispose]: () => enrichments.close(),
  };
}

/** Every run brings `<id of the job> by <name>` at once. */
export function createAnsweringExecutor(name: string) {
  const startedJobs: string[] = [];
  return {
    startedJobs,
    createAttempt(job: EnrichmentJob): JobAttempt {
      startedJobs.push(job.id);
      return {
        collect: async (take) => {
          for (const { key, path } of job.fields) {
            take({ key, path, data: `${job.id} by ${name}`, errors: undefined, isRetryable: false });
          }
        },
        cancel: () => {},
      };
    },
  };
}
