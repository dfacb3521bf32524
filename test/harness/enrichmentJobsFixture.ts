import type {
  Caller,
  DeferredEnrichments,
  EnrichmentUpdate,
} from '../../gateway/enrichment/deferredEnrichments.ts';
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

export const ada: Caller = { tokenOwner: 'ada' };

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
    reclaimAfter: 3_000,
    enqueueTimeout: 50,
    maxSnapshotSize: 256_000,
    maxDeadLetters: 10,
    deadLetterRetention: 86_400_000,
  },
} satisfies JobPolicy;

export function policyWith(jobs: Partial<JobPolicy['jobs']>): JobPolicy {
  return { ...defaultPolicy, jobs: { ...defaultPolicy.jobs, ...jobs } };
}

/** A job whose fields are fields of `product`. */
export function jobOf(
  id: string,
  fields: readonly string[] = ['reviews'],
  priority: EnrichmentPriority = 'NORMAL',
): EnrichmentJob {
  return {
    id,
    operation: { document: '{ product { name } }', operationName: undefined, variables: '{}' },
    caller: { identity: 'ada' },
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

/** An attempt whose results the test emits. */
export class ControlledAttempt implements JobAttempt {
  isCancelled = false;
  #onResult: (result: FieldResult) => void = () => {
    throw new Error('collect() was not called.');
  };
  readonly #ended = Promise.withResolvers<void>();

  collect(onResult: (result: FieldResult) => void): Promise<void> {
    this.#onResult = onResult;
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

  fail(error: Error): void {
    this.#ended.reject(error);
  }
}

/** Records the attempts that it creates. */
export class RecordingExecutor implements JobExecutor {
  readonly created: {
    readonly job: EnrichmentJob;
    readonly deadlineMs: number;
    readonly attempt: ControlledAttempt;
  }[] = [];

  createAttempt(job: EnrichmentJob, deadlineMs: number): JobAttempt {
    const attempt = new ControlledAttempt();
    this.created.push({ job, deadlineMs, attempt });
    return attempt;
  }

  /** Job id and field keys of each attempt, such as `a: reviews stock`. */
  get createdAttempts(): string[] {
    return this.created.map(({ job }) => `${job.id}: ${job.fields.map(({ key }) => key).join(' ')}`);
  }

  get lastAttempt(): ControlledAttempt {
    const last = this.created.at(-1);
    if (last === undefined) throw new Error('createAttempt() was not called.');
    return last.attempt;
  }
}

export function createRecordingObserver(events: string[]): JobObserver {
  return {
    onEnqueued: ({ outcome }) => events.push(outcome),
    onRetry: () => events.push('retry'),
    onSettled: ({ priority, outcome }) => events.push(`${priority} ${outcome}`),
    onResumed: ({ resumedFrom }) => events.push(`resumed: ${resumedFrom}`),
    onNotPersisted: ({ reason }) => events.push(`not persisted: ${reason}`),
    onUpdatesEvicted: ({ updates }) => events.push(`updates evicted: ${updates}`),
  };
}

/** Enqueues a job for `ada` and returns its token.
 *  @throws when the job is refused. */
export async function enqueueJob(
  jobs: DeferredEnrichments,
  job: EnrichmentJob,
  attempt: JobAttempt = new ControlledAttempt(),
  caller = ada,
): Promise<string> {
  const issued = await jobs.enqueue(job, attempt, caller);
  if (issued === undefined) throw new Error(`Job ${job.id} was refused.`);
  return issued.token;
}

/** @throws when the token is not valid for `ada`. */
export async function subscribeToJob(jobs: DeferredEnrichments, token: string, cursor?: string) {
  const updates = await jobs.subscribe(token, ada, cursor);
  if (updates === undefined) throw new Error('The token is not valid.');
  return updates;
}

/** Enrichment jobs in memory, with a clock and attempts that the test controls. Backoff takes its longest delay. */
export function createInMemoryJobs(
  policy: JobPolicy = defaultPolicy,
  isShed: (priority: EnrichmentPriority) => boolean = () => false,
) {
  const timers = new FakeTimers();
  const clock = { now: 0 };
  const executor = new RecordingExecutor();
  const [events, logged] = [[] as string[], [] as unknown[]];
  const observer = createRecordingObserver(events);
  const store = new MemoryJobStore({ policy, timers, now: () => clock.now, observer });
  const jobs = new EnrichmentJobs({
    store,
    executor,
    policy,
    attemptTimeoutMs: 15_000,
    isShed,
    timers,
    random: () => 1,
    observer,
    log: {
      error: (fields, message) => logged.push([message, fields]),
      warn: (fields, message) => logged.push([message, fields]),
      debug: () => {},
    },
  });
  jobs.startResuming();
  return {
    jobs,
    store,
    executor,
    events,
    logged,
    timers,
    advance(ms: number): void {
      clock.now += ms;
      timers.advance(ms);
    },
    enqueue: (job: EnrichmentJob, attempt: JobAttempt, caller = ada) =>
      enqueueJob(jobs, job, attempt, caller),
    subscribe: (token: string, cursor?: string) => subscribeToJob(jobs, token, cursor),
  };
}

/** An update as text, such as `1-0 reviews "reviews!" …`: cursor, field, data or messages, and `…` if more follow. */
export function formatUpdate({ path, data, errors, hasNext, cursor }: EnrichmentUpdate): string {
  const result = errors === null ? JSON.stringify(data) : errors.map(({ message }) => message).join();
  return `${cursor} ${path.at(-1)} ${result}${hasNext ? ' …' : ''}`;
}

export async function collectUpdates(updates: AsyncIterable<EnrichmentUpdate>): Promise<string[]> {
  const all: string[] = [];
  for await (const update of updates) all.push(formatUpdate(update));
  return all;
}
