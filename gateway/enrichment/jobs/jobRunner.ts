import { GatewayError } from '../../errors.ts';
import type { Timers } from '../../time/timers.ts';
import type { EnrichmentJob, FieldResult, JobAttempt, JobExecutor, JobField } from '../enrichmentJob.ts';
import { type Backoff, retryDelayMs } from './backoff.ts';
import type { ConcurrencyLimiter, ReleaseSlot } from './concurrencyLimiter.ts';
import type { JobObserver, JobOutcome } from './jobObserver.ts';
import type { JobRunEnd, JobStore, ResumableJobRun } from './jobStore.ts';
import type { RetryBudget } from './retryBudget.ts';

/** What all works of a process share. */
export interface JobRunnerDependencies {
  readonly store: Pick<JobStore, 'publish' | 'recordFailure' | 'isWanted' | 'settle'>;
  readonly executor: JobExecutor;
  /** Milliseconds that an attempt may take, the first excepted. */
  readonly attemptTimeoutMs: number;
  readonly maxAttempts: number;
  readonly backoff: Backoff;
  readonly retryBudget: RetryBudget;
  readonly limiter: ConcurrencyLimiter;
  readonly timers: Timers;
  readonly random: () => number;
  readonly observer: JobObserver;
  /** A fault of the gateway's own. */
  onInternalError(fault: unknown, workId: string): void;
  /** Whether it only waits has changed. */
  onWaitingChange(work: JobRunner): void;
  /** Nothing more is done for it here. */
  onEnd(work: JobRunner): void;
}

interface UnansweredField {
  readonly field: JobField;
  /** What the last attempt brought, if anything. */
  failure: FieldResult | undefined;
}

/** One job's way through its attempts: each is for the places that are still missing, whose results are published as
 *  they come, failing ones only with the last attempt. */
export class JobRunner {
  readonly id: string;
  readonly job: EnrichmentJob;
  readonly #dependencies: JobRunnerDependencies;
  readonly #pending = new Map<string, UnansweredField>();
  #failedAttempts: number;
  #attempt: JobAttempt | undefined;
  #isWaiting = false;
  #hasEnded = false;
  #cancelBackoff: () => void = () => {};
  #releaseSlot: ReleaseSlot = () => {};

  constructor(
    { id, job, pendingKeys, failedAttempts }: Omit<ResumableJobRun, 'resumedFrom'>,
    parts: JobRunnerDependencies,
  ) {
    this.id = id;
    this.job = job;
    this.#dependencies = parts;
    this.#failedAttempts = failedAttempts;
    const places = new Set(pendingKeys);
    for (const place of job.fields) {
      if (places.has(place.key)) this.#pending.set(place.key, { field: place, failure: undefined });
    }
  }

  /** Between two attempts, or before the first one here: nothing is under way that would be lost with it. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** Those that had no result yet. */
  get pendingFields(): readonly JobField[] {
    return Array.from(this.#pending.values(), ({ field }) => field);
  }

  /** Its first attempt is under way. */
  start(run: JobAttempt): void {
    void this.#runAttempt(run);
  }

  /** Its next attempt is made when it is its turn. */
  schedule(): void {
    this.#setWaiting(true);
    this.#awaitSlot();
  }

  /** Ends it without another attempt: who follows it gets what failed last. */
  drop(outcome: 'no room' | 'unwanted'): void {
    if (this.#hasEnded) return;
    this.#publishFailures();
    this.#end({ kind: 'dropped' }, outcome);
  }

  /** Leaves it to other processes. */
  release(): void {
    this.#attempt?.cancel();
    this.#end({ kind: 'left' });
  }

  /** Forgets it: another work is in its place. */
  discard(): void {
    this.#attempt?.cancel();
    this.#end();
  }

  async #runAttempt(run: JobAttempt): Promise<void> {
    this.#attempt = run;
    for (const missing of this.#pending.values()) missing.failure = undefined;
    try {
      await run.collect((result) => this.#accept(result));
    } catch (fault) {
      if (!this.#hasEnded) this.#dependencies.onInternalError(fault, this.id);
    }
    this.#attempt = undefined;
    this.#releaseSlot();
    if (this.#hasEnded) return;
    if (this.#pending.size === 0) this.#end({ kind: 'done' }, 'done');
    else this.#handleFailure();
  }

  #accept(result: FieldResult): void {
    const missing = this.#pending.get(result.key);
    if (this.#hasEnded || missing === undefined) return;
    if (result.isRetryable) {
      missing.failure = result;
      return;
    }
    this.#pending.delete(result.key);
    this.#dependencies.store.publish(this.id, result);
  }

  #handleFailure(): void {
    const { store, retryBudget, maxAttempts, backoff, timers, random, observer } = this.#dependencies;
    if (this.job.snapshot === undefined) {
      this.#publishFailures();
      this.#end({ kind: 'dropped' }, 'too large');
      return;
    }
    this.#failedAttempts += 1;
    const failure = { attempts: this.#failedAttempts, error: this.#describeFailure() };
    if (this.#failedAttempts >= maxAttempts || !retryBudget.tryTake()) {
      const keys = [...this.#pending.keys()];
      this.#publishFailures();
      this.#end({ kind: 'failed', failedKeys: keys, ...failure }, 'failed');
      return;
    }
    observer.onRetry({ priority: this.job.priority });
    store.recordFailure(this.id, failure);
    this.#setWaiting(true);
    this.#cancelBackoff = timers.after(retryDelayMs(this.#failedAttempts, backoff, random), () =>
      this.#awaitSlot(),
    );
  }

  #awaitSlot(): void {
    this.#cancelBackoff = () => {};
    this.#releaseSlot = this.#dependencies.limiter.acquire(this.job.priority, () => void this.#retry());
  }

  async #retry(): Promise<void> {
    const { store, executor, attemptTimeoutMs } = this.#dependencies;
    const isWanted = await store.isWanted(this.id);
    if (this.#hasEnded) return;
    if (!isWanted) {
      this.drop('unwanted');
      return;
    }
    this.#setWaiting(false);
    await this.#runAttempt(
      executor.createAttempt({ ...this.job, fields: this.pendingFields }, attemptTimeoutMs),
    );
  }

  #publishFailures(): void {
    for (const { field, failure } of this.#pending.values()) {
      this.#dependencies.store.publish(this.id, failure ?? unansweredResult(field));
    }
  }

  #describeFailure(): string {
    const [first] = this.#pending.values();
    const message = first?.failure?.errors?.[0]?.message;
    return message ?? 'The attempt ended without a result.';
  }

  #setWaiting(isWaiting: boolean): void {
    this.#isWaiting = isWaiting;
    this.#dependencies.onWaitingChange(this);
  }

  #end(end?: JobRunEnd, outcome?: JobOutcome): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#cancelBackoff();
    this.#releaseSlot();
    const { store, observer, onEnd } = this.#dependencies;
    if (end !== undefined) store.settle(this.id, end);
    if (outcome !== undefined) observer.onSettled({ priority: this.job.priority, outcome });
    onEnd(this);
  }
}

/** What stands in the place of a result that no attempt has brought. */
export function unansweredResult({ key, path }: JobField): FieldResult {
  const error = new GatewayError('INTERNAL_SERVER_ERROR', 'This part of the answer could not be fetched.', {
    path,
  });
  return { key, path, data: null, errors: [error.toFormatted()], isRetryable: true };
}
