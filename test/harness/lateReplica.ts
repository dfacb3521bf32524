import type {
  EnrichmentJob,
  EnrichmentRun,
  EnrichmentRunner,
} from '../../gateway/enrichment/enrichmentJob.ts';
import type { LatePolicy } from '../../gateway/enrichment/late/latePolicy.ts';
import { LateWorks } from '../../gateway/enrichment/late/lateWorks.ts';
import { createRedisLateEnrichments } from '../../gateway/enrichment/late/redisLateEnrichments.ts';
import { RedisLateStore } from '../../gateway/enrichment/late/redisLateStore.ts';
import { HandRunner, notingObserver, policyWith } from '../unit/enrichment/late/lateUnderTest.ts';
import { HandTimers } from './handTimers.ts';
import { patience, redisConfig } from './storeUnderTest.ts';

/** Short times, where a test cannot make the order by itself. Not for two processes of which one may stand still: the
 *  other one would think that it is dead. */
export const briefJobs = {
  takeOverAfter: 300,
  handOverTimeout: 10_000,
  backoff: { base: 1, max: 1 },
  maxPending: 10_000,
  maxPendingSize: 64_000_000,
  maxUpdatesSize: 64_000_000,
} satisfies Partial<LatePolicy['jobs']>;

/** Longer than any test takes: Redis counts by itself, and forgets what nobody can pick up any more. */
export const tokensExpireAfter = 600_000;

function latePolicy(jobs: Partial<LatePolicy['jobs']>): LatePolicy {
  return { ...policyWith({ ...briefJobs, ...jobs }), tokens: { expireAfter: tokensExpireAfter } };
}

function lateConfig(url: string, keyPrefix: string) {
  const reconnect = { minDelay: '10ms', maxDelay: '50ms' };
  return redisConfig({ url, keyPrefix, timeouts: patience, reconnect });
}

/** Late work of one of several processes that share a Redis, with runs in the hands of the test. */
export function lateReplica(
  url: string,
  keyPrefix: string,
  jobs: Partial<LatePolicy['jobs']> = {},
  runner: EnrichmentRunner = new HandRunner(),
) {
  const events: string[] = [];
  const warned: Readonly<Record<string, unknown>>[] = [];
  const late = createRedisLateEnrichments({
    config: lateConfig(url, keyPrefix),
    policy: latePolicy(jobs),
    runner,
    attemptDeadline: 15_000,
    drainTimeout: 1,
    observer: notingObserver(events),
    log: { error: () => {}, warn: (fields) => warned.push(fields) },
  });
  return { late, events, warned, [Symbol.asyncDispose]: () => late.close() };
}

/** As `lateReplica`, with clock and timers in the hands of the test. Redis and the library that keeps the queue have
 *  their own. */
export function lateReplicaByHand(url: string, keyPrefix: string, jobs: Partial<LatePolicy['jobs']> = {}) {
  const timers = new HandTimers();
  let passed = 0;
  const policy = latePolicy(jobs);
  const [events, runner] = [[] as string[], new HandRunner()];
  const observer = notingObserver(events);
  const store = new RedisLateStore({
    config: lateConfig(url, keyPrefix),
    policy,
    timers,
    now: () => Date.now() + passed,
    observer,
    onFailure: () => {},
  });
  const late = new LateWorks({
    store,
    runner,
    policy,
    attemptDeadline: 15_000,
    drainTimeout: 1,
    timers,
    monotonicNow: () => passed,
    observer,
    log: { error: () => {}, warn: () => {} },
  });
  return {
    late,
    events,
    runner,
    pass(ms: number): void {
      passed += ms;
      timers.pass(ms);
    },
    [Symbol.asyncDispose]: () => late.close(),
  };
}

/** Every run brings `<id of the job> by <name>` at once. */
export function answeringRunner(name: string) {
  const asked: string[] = [];
  return {
    asked,
    run(job: EnrichmentJob): EnrichmentRun {
      asked.push(job.id);
      return {
        results: async (take) => {
          for (const { key, path } of job.places) {
            take({ key, path, data: `${job.id} by ${name}`, errors: undefined, isRetryable: false });
          }
        },
        cancel: () => {},
      };
    },
  };
}
