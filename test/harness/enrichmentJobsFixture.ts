import type { EnrichmentUpdate } from '../../gateway/enrichment/deferredEnrichments.ts';
import type {
  EnrichmentJob,
  FieldResult,
  JobAttempt,
  JobExecutor,
} from '../../gateway/enrichment/enrichmentJob.ts';
import { EnrichmentJobs } from '../../gateway/enrichment/jobs/enrichmentJobs.ts';
import type { JobObserver } from '../../gateway/enrichment/jobs/jobObserver.ts';
import type { JobPolicy } from '../../gateway/enrichment/jobs/jobPolicy.ts';
import { MemoryJobStore } from '../../gateway/enrichment/jobs/memoryJobStore.ts';
import type { EnrichmentPriority } from '../../gateway/operation/enrichmentRule.ts';
import { FakeTimers } from './fakeTimers.ts';

export const ada = { identity: 'ada' };

export const defaultPolicy = {
  tokens: { expireAfter: 60_000 },
  jobs: {
    maxPending: 100,
    maxPendingSize: 1_000_000,
    maxUpdatesSize: 1_000_000,
    concurrency: 50,
    attempts: 3,
    backoff: { base: 500, max: 10_000 },
    budgetRatio: 0.2,
    takeOverAfter: 3_000,
    handOverTimeout: 50,
    maxSnapshotSize: 256_000,
    keepFailed: 10,
    keepFailedFor: 86_400_000,
  },
} satisfies JobPolicy;

export function policyWith(jobs: Partial<JobPolicy['jobs']>): JobPolicy {
  return { ...defaultPolicy, jobs: { ...defaultPolicy.jobs, ...jobs } };
}

/** A job whose places are fields of `product`. */
export function jobOf(
  id: string,
  fields: readonly string[] = ['reviews'],
  priority: EnrichmentPriority = 'NORMAL',
): EnrichmentJob {
  return {
    id,
    operation: { document: '{ product { name } }', operationName: undefined, variables: {} },
    headers: [['authorization', 'ada']],
    snapshot: { product: { id: '1' } },
    snapshotSize: 24,
    size: 300,
    fields: fields.map((field) => ({
      key: field,
      path: ['product', field],
      coordinate: `Product.${field}`,
    })),
    priority,
  };
}

export function successfulResult(field: string, data: unknown = `${field}!`): FieldResult {
  return { key: field, path: ['product', field], data, errors: undefined, isRetryable: false };
}

export function failedResult(field: string, message = 'It is down.', isRetryable = true): FieldResult {
  return { key: field, path: ['product', field], data: null, errors: [{ message }], isRetryable };
}

/** A run whose results the test gives. */
export class ControlledAttempt implements JobAttempt {
  isCancelled = false;
  #onResult: (result: FieldResult) => void = () => {
    throw new Error('Nobody takes results.');
  };
  readonly #ended = Promise.withResolvers<void>();

  collect(take: (result: FieldResult) => void): Promise<void> {
    this.#onResult = take;
    return this.#ended.promise;
  }

  cancel(): void {
    this.isCancelled = true;
    this.#ended.resolve();
  }

  emit(...results: FieldResult[]): void {
    for (const result of results) this.#onResult(result);
  }

  complete(...results: FieldResult[]): void {
    this.emit(...results);
    this.#ended.resolve();
  }

  fail(fault: Error): void {
    this.#ended.reject(fault);
  }
}

/** Writes down what runs it is asked for. */
export class RecordingExecutor implements JobExecutor {
  readonly attempts: {
    readonly job: EnrichmentJob;
    readonly deadlineMs: number;
    readonly run: ControlledAttempt;
  }[] = [];

  createAttempt(job: EnrichmentJob, deadlineMs: number): JobAttempt {
    const run = new ControlledAttempt();
    this.attempts.push({ job, deadlineMs, run });
    return run;
  }

  /** Job and keys of each run that was asked for. */
  get startedAttempts(): string[] {
    return this.attempts.map(({ job }) => `${job.id}: ${job.fields.map(({ key }) => key).join(' ')}`);
  }

  get lastAttempt(): ControlledAttempt {
    const last = this.attempts.at(-1);
    if (last === undefined) throw new Error('No run was asked for.');
    return last.run;
  }
}

export function createRecordingObserver(events: string[]): JobObserver {
  return {
    onEnqueued: ({ outcome }) => events.push(outcome),
    onRetry: () => events.push('retry'),
    onSettled: ({ priority, outcome }) => events.push(`${priority} ${outcome}`),
    onResumed: ({ resumedFrom }) => events.push(`adopted: ${resumedFrom}`),
    onNotPersisted: ({ reason }) => events.push(`kept here: ${reason}`),
    onUpdatesEvicted: ({ updates }) => events.push(`forgotten: ${updates}`),
  };
}

/** Late work in memory, with clock and runs in the hands of the test. Backoff takes its longest time. */
export function createInMemoryJobs(given: JobPolicy = defaultPolicy) {
  const timers = new FakeTimers();
  const clock = { now: 0 };
  const runner = new RecordingExecutor();
  const [events, logged] = [[] as string[], [] as unknown[]];
  const observer = createRecordingObserver(events);
  const store = new MemoryJobStore({ policy: given, timers, now: () => clock.now, observer });
  const late = new EnrichmentJobs({
    store,
    executor: runner,
    policy: given,
    attemptTimeoutMs: 15_000,
    drainTimeoutMs: 1_000,
    timers,
    monotonicNow: () => clock.now,
    random: () => 1,
    observer,
    log: {
      error: (fields, message) => logged.push([message, fields]),
      warn: (fields, message) => logged.push([message, fields]),
    },
  });
  return {
    late,
    runner,
    events,
    logged,
    timers,
    pass(ms: number): void {
      clock.now += ms;
      timers.advance(ms);
    },
    /** Hands over and returns the token; throws where there is no room. */
    async handOver(job: EnrichmentJob, run: JobAttempt, caller = ada): Promise<string> {
      const ticket = await late.enqueue(job, run, caller);
      if (ticket === undefined) throw new Error('There was no room.');
      return ticket.token;
    },
    async follow(token: string, cursor?: string) {
      const updates = await late.subscribe(token, ada, cursor);
      if (updates === undefined) throw new Error('The token leads nowhere.');
      return updates;
    },
  };
}

export function formatUpdate({ path, data, errors, hasNext, cursor }: EnrichmentUpdate): string {
  const what = errors === null ? JSON.stringify(data) : errors.map(({ message }) => message).join();
  return `${cursor} ${path.at(-1)} ${what}${hasNext ? ' …' : ''}`;
}

export async function collectUpdates(updates: AsyncIterable<EnrichmentUpdate>): Promise<string[]> {
  const all: string[] = [];
  for await (const update of updates) all.push(formatUpdate(update));
  return all;
}
