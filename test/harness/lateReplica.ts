import type {
  EnrichmentJob,
  EnrichmentRun,
  EnrichmentRunner,
} from '../../gateway/enrichment/enrichmentJob.ts';
import type { LatePolicy } from '../../gateway/enrichment/late/latePolicy.ts';
import { createRedisLateEnrichments } from '../../gateway/enrichment/late/redisLateEnrichments.ts';
import { HandRunner, notingObserver, policyWith } from '../unit/enrichment/late/lateUnderTest.ts';
import { redisConfig } from './storeUnderTest.ts';

/** Short times, where a test cannot make the order by itself. */
export const briefJobs = {
  takeOverAfter: 300,
  handOverTimeout: 10_000,
  backoff: { base: 1, max: 1 },
  maxPending: 10_000,
  maxPendingSize: 64_000_000,
} satisfies Partial<LatePolicy['jobs']>;

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
    config: redisConfig({ url, keyPrefix, reconnect: { minDelay: '10ms', maxDelay: '50ms' } }),
    policy: policyWith({ ...briefJobs, ...jobs }),
    runner,
    attemptDeadline: 15_000,
    drainTimeout: 1,
    observer: notingObserver(events),
    log: { error: () => {}, warn: (fields) => warned.push(fields) },
  });
  return { late, events, warned, [Symbol.asyncDispose]: () => late.close() };
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
