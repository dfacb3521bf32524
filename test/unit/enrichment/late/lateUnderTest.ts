import type {
  EnrichmentJob,
  EnrichmentRun,
  PlaceResult,
} from '../../../../gateway/enrichment/enrichmentJob.ts';
import type { EnrichmentPriority } from '../../../../gateway/enrichment/enrichmentRule.ts';
import type { LateObserver } from '../../../../gateway/enrichment/late/lateObserver.ts';
import type { LatePolicy } from '../../../../gateway/enrichment/late/latePolicy.ts';
import { LateWorks } from '../../../../gateway/enrichment/late/lateWorks.ts';
import { MemoryLateStore } from '../../../../gateway/enrichment/late/memoryLateStore.ts';
import type { EnrichmentUpdate } from '../../../../gateway/enrichment/lateEnrichments.ts';
import { HandTimers } from '../../../harness/handTimers.ts';

export const ada = { identity: 'ada' };

export const policy = {
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
} satisfies LatePolicy;

export function policyWith(jobs: Partial<LatePolicy['jobs']>): LatePolicy {
  return { ...policy, jobs: { ...policy.jobs, ...jobs } };
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
    places: fields.map((field) => ({
      key: field,
      path: ['product', field],
      coordinate: `Product.${field}`,
    })),
    priority,
  };
}

export function good(field: string, data: unknown = `${field}!`): PlaceResult {
  return { key: field, path: ['product', field], data, errors: undefined, isRetryable: false };
}

export function bad(field: string, message = 'It is down.', isRetryable = true): PlaceResult {
  return { key: field, path: ['product', field], data: null, errors: [{ message }], isRetryable };
}

/** A run whose results the test gives. */
export class HandRun implements EnrichmentRun {
  isCancelled = false;
  #take: (result: PlaceResult) => void = () => {
    throw new Error('Nobody takes results.');
  };
  readonly #ended = Promise.withResolvers<void>();

  results(take: (result: PlaceResult) => void): Promise<void> {
    this.#take = take;
    return this.#ended.promise;
  }

  cancel(): void {
    this.isCancelled = true;
    this.#ended.resolve();
  }

  give(...results: PlaceResult[]): void {
    for (const result of results) this.#take(result);
  }

  end(...results: PlaceResult[]): void {
    this.give(...results);
    this.#ended.resolve();
  }

  fail(fault: Error): void {
    this.#ended.reject(fault);
  }
}

/** Writes down what runs it is asked for. */
export class HandRunner {
  readonly runs: { readonly job: EnrichmentJob; readonly deadlineMs: number; readonly run: HandRun }[] = [];

  run(job: EnrichmentJob, deadlineMs: number): EnrichmentRun {
    const run = new HandRun();
    this.runs.push({ job, deadlineMs, run });
    return run;
  }

  /** Job and keys of each run that was asked for. */
  get asked(): string[] {
    return this.runs.map(({ job }) => `${job.id}: ${job.places.map(({ key }) => key).join(' ')}`);
  }

  get last(): HandRun {
    const last = this.runs.at(-1);
    if (last === undefined) throw new Error('No run was asked for.');
    return last.run;
  }
}

export function notingObserver(events: string[]): LateObserver {
  return {
    onHandedOver: ({ outcome }) => events.push(outcome),
    onRetry: () => events.push('retry'),
    onSettled: ({ priority, outcome }) => events.push(`${priority} ${outcome}`),
    onAdopted: ({ from }) => events.push(`adopted: ${from}`),
    onKeptHere: ({ reason }) => events.push(`kept here: ${reason}`),
    onForgotten: ({ updates }) => events.push(`forgotten: ${updates}`),
  };
}

/** Late work in memory, with clock and runs in the hands of the test. Backoff takes its longest time. */
export function lateInMemory(given: LatePolicy = policy) {
  const timers = new HandTimers();
  const clock = { now: 0 };
  const runner = new HandRunner();
  const [events, logged] = [[] as string[], [] as unknown[]];
  const observer = notingObserver(events);
  const store = new MemoryLateStore({ policy: given, timers, now: () => clock.now, observer });
  const late = new LateWorks({
    store,
    runner,
    policy: given,
    attemptDeadline: 15_000,
    drainTimeout: 1_000,
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
      timers.pass(ms);
    },
    /** Hands over and returns the token; throws where there is no room. */
    async handOver(job: EnrichmentJob, run: EnrichmentRun, caller = ada): Promise<string> {
      const ticket = await late.handOver(job, run, caller);
      if (ticket === undefined) throw new Error('There was no room.');
      return ticket.token;
    },
    async follow(token: string, cursor?: string) {
      const updates = await late.follow(token, ada, cursor);
      if (updates === undefined) throw new Error('The token leads nowhere.');
      return updates;
    },
  };
}

export function brief({ path, data, errors, hasNext, cursor }: EnrichmentUpdate): string {
  const what = errors === null ? JSON.stringify(data) : errors.map(({ message }) => message).join();
  return `${cursor} ${path.at(-1)} ${what}${hasNext ? ' …' : ''}`;
}

export async function allOf(updates: AsyncIterable<EnrichmentUpdate>): Promise<string[]> {
  const all: string[] = [];
  for await (const update of updates) all.push(brief(update));
  return all;
}
