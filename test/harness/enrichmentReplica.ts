import type { Redis } from 'ioredis';
import type { EnrichmentJob, JobAttempt, JobExecutor } from '../../gateway/enrichment/enrichmentJob.ts';
import { createEnrichmentJobs } from '../../gateway/enrichment/jobs/createEnrichmentJobs.ts';
import { EnrichmentJobs } from '../../gateway/enrichment/jobs/enrichmentJobs.ts';
import { JobKeys } from '../../gateway/enrichment/jobs/jobKeys.ts';
import type { JobPolicy } from '../../gateway/enrichment/jobs/jobPolicy.ts';
import { RedisJobStore } from '../../gateway/enrichment/jobs/redisJobStore.ts';
import { systemTimers } from '../../gateway/time/timers.ts';
import { createRecordingObserver, policyWith, RecordingExecutor } from './enrichmentJobsFixture.ts';
import { FakeTimers } from './fakeTimers.ts';
import { longRedisTimeouts, parseRedisConfig } from './redisStoreFixture.ts';
import { waitUntil } from './waitUntil.ts';

/** Short timeouts, for tests that cannot control the order of events. Not for two processes of which one may pause:
 *  the other one would take it for dead. */
const shortJobTimeouts = {
  reclaimAfter: 300,
  enqueueTimeout: 10_000,
  backoff: { base: 1, max: 1 },
  maxPending: 10_000,
  maxPendingSize: 64_000_000,
  maxUpdatesSize: 64_000_000,
} satisfies Partial<JobPolicy['jobs']>;

/** For processes that live to the end of the test. With less, a pause of this process would make one take the other for
 *  dead. */
export const patientReclaim = { reclaimAfter: 60_000 };

/** Longer than any test takes: Redis expires tokens by its own clock. */
export const tokenTtlMs = 600_000;

/** Tests do not wait for attempts that are still running. */
export const closeTimeoutMs = 1;

function createJobPolicy(jobs: Partial<JobPolicy['jobs']>): JobPolicy {
  return { ...policyWith({ ...shortJobTimeouts, ...jobs }), tokens: { expireAfter: tokenTtlMs } };
}

type RedisOptions = NonNullable<Parameters<typeof parseRedisConfig>[0]>;

function createReplicaConfig(url: string, keyPrefix: string, redis: RedisOptions = {}) {
  const reconnect = { minDelay: '10ms', maxDelay: '50ms' };
  return parseRedisConfig({ url, keyPrefix, timeouts: longRedisTimeouts, reconnect, ...redis });
}

/** The enrichment jobs of one of several processes that share a Redis, with attempts that the test controls. */
export function createEnrichmentReplica(
  url: string,
  keyPrefix: string,
  jobs: Partial<JobPolicy['jobs']> = {},
  executor: JobExecutor = new RecordingExecutor(),
) {
  const events: string[] = [];
  const warned: Readonly<Record<string, unknown>>[] = [];
  const enrichments = createEnrichmentJobs({
    redis: createReplicaConfig(url, keyPrefix),
    policy: createJobPolicy(jobs),
    executor,
    attemptTimeoutMs: 15_000,
    isShed: () => false,
    timers: systemTimers,
    now: Date.now,
    observer: createRecordingObserver(events),
    log: { error: () => {}, warn: (fields) => warned.push(fields), debug: () => {} },
  });
  enrichments.startResuming();
  return { enrichments, events, warned, [Symbol.asyncDispose]: () => enrichments.close(closeTimeoutMs) };
}

/** As `createEnrichmentReplica`, with a clock and timers that the test controls. Redis and BullMQ have their own. `redis`:
 *  further options of the connection. */
export function createManualEnrichmentReplica(
  url: string,
  keyPrefix: string,
  jobs: Partial<JobPolicy['jobs']> = {},
  redis?: RedisOptions,
) {
  const timers = new FakeTimers();
  let passedMs = 0;
  let setBackMs = 0;
  const policy = createJobPolicy(jobs);
  const [events, executor] = [[] as string[], new RecordingExecutor()];
  const observer = createRecordingObserver(events);
  const store = new RedisJobStore({
    config: createReplicaConfig(url, keyPrefix, redis),
    policy,
    timers,
    now: () => Date.now() + passedMs - setBackMs,
    observer,
    onFailure: () => {},
  });
  const enrichments = new EnrichmentJobs({
    store,
    executor,
    policy,
    attemptTimeoutMs: 15_000,
    isShed: () => false,
    timers,
    observer,
    log: { error: () => {}, warn: () => {}, debug: () => {} },
  });
  enrichments.startResuming();
  return {
    enrichments,
    events,
    executor,
    advance(ms: number): void {
      passedMs += ms;
      timers.advance(ms);
    },
    /** Sets the wall clock back. The timers go on. */
    setClockBack(ms: number): void {
      setBackMs += ms;
    },
    [Symbol.asyncDispose]: () => enrichments.close(closeTimeoutMs),
  };
}

/** Closes a process that cannot store everything: its timeouts pass. */
export async function closeWithTimeouts({
  enrichments,
  advance,
}: ReturnType<typeof createManualEnrichmentReplica>): Promise<void> {
  let isClosed = false;
  const closed = enrichments.close(closeTimeoutMs).then(() => {
    isClosed = true;
  });
  await waitUntil(() => {
    advance(100);
    return isClosed;
  });
  await closed;
}

/** Resolves when as many processes receive the changes of others. Each then writes again what Redis may have lost. */
export async function waitForSubscribers(redis: Redis, prefix: string, count: number): Promise<void> {
  const { changesChannel } = new JobKeys(prefix);
  await waitUntil(async () => (await redis.pubsub('NUMSUB', changesChannel))[1] === count);
}

/** An executor whose attempts answer every field with `<job id> by <name>` at once. */
export function createAnsweringExecutor(name: string) {
  const startedJobs: string[] = [];
  return {
    startedJobs,
    createAttempt(job: EnrichmentJob): JobAttempt {
      startedJobs.push(job.id);
      return {
        collect: async (onResult) => {
          for (const { key, path } of job.fields) {
            onResult({ key, path, data: `${job.id} by ${name}`, errors: undefined, isRetryable: false });
          }
        },
        cancel: () => {},
      };
    },
  };
}
