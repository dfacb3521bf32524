import { GatewayError } from '../../errors.ts';
import type { EnrichmentPriority } from '../../operation/enrichmentRule.ts';
import type { RatioBudget } from '../../time/ratioBudget.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import type { EnrichmentJob, FieldResult, JobAttempt, JobExecutor, JobField } from '../enrichmentJob.ts';
import type { ConcurrencyLimiter, ReleaseSlot } from './concurrencyLimiter.ts';
import type { JobObserver, JobOutcome } from './jobObserver.ts';
import { type JobPolicy, retryDelayMs } from './jobPolicy.ts';
import type { JobRunEnd, UnfinishedJobRun } from './jobRun.ts';
import type { JobStore } from './jobStore.ts';

/** What all job runners of a process share. */
export interface JobRunnerDependencies {
  readonly store: Pick<JobStore, 'publish' | 'recordFailure' | 'isWanted' | 'settle'>;
  readonly executor: JobExecutor;
  /** Timeout of every attempt except the first, which belongs to the response. */
  readonly attemptTimeoutMs: number;
  readonly maxAttempts: number;
  readonly backoff: JobPolicy['jobs']['backoff'];
  readonly retryBudget: RatioBudget;
  /** Whether attempts of this priority wait, because the process is overloaded. The first attempt does not. */
  isShed(priority: EnrichmentPriority): boolean;
  readonly limiter: ConcurrencyLimiter;
  readonly timers: Timers;
  readonly random: () => number;
  readonly observer: JobObserver;
  onInternalError(error: unknown, runner: JobRunner): void;
  /** The last attempt has failed. `problem`: message for operators. */
  onFailed(problem: string, runner: JobRunner): void;
  /** `isWaiting` of the runner may have changed. */
  onStateChange(runner: JobRunner): void;
  onEnd(runner: JobRunner): void;
}

/** How long an attempt waits that is shed, before it is due again. */
const shedPauseMs = 1_000;

interface PendingField {
  readonly field: JobField;
  /** The retryable failure of the last attempt. */
  failure: FieldResult | undefined;
}

type RunnerState =
  | { readonly kind: 'new' }
  | { readonly kind: 'backing off'; readonly cancelTimer: CancelTimer }
  | { readonly kind: 'awaiting slot'; readonly releaseSlot: ReleaseSlot }
  | { readonly kind: 'attempting'; readonly attempt: JobAttempt; readonly releaseSlot: ReleaseSlot }
  | { readonly kind: 'ended' };

/** Runs a job through its attempts. Each attempt fetches the fields that are still pending. Results are published as
 *  they arrive; retryable failures are published only when no attempt follows. */
export class JobRunner {
  readonly id: string;
  readonly job: EnrichmentJob;
  /** On the clock of the timers. */
  readonly startedAt: number;
  readonly #dependencies: JobRunnerDependencies;
  readonly #pending = new Map<string, PendingField>();
  #failedAttempts: number;
  #state: RunnerState = { kind: 'new' };

  constructor(
    { id, job, pendingKeys, failedAttempts }: UnfinishedJobRun,
    dependencies: JobRunnerDependencies,
  ) {
    this.id = id;
    this.job = job;
    this.startedAt = dependencies.timers.now();
    this.#dependencies = dependencies;
    this.#failedAttempts = failedAttempts;
    const keys = new Set(pendingKeys);
    for (const field of job.fields) {
      if (keys.has(field.key)) this.#pending.set(field.key, { field, failure: undefined });
    }
  }

  /** The runner is between two attempts, or before the first one in this process: dropping it cancels no fetch. */
  get isWaiting(): boolean {
    return this.#state.kind === 'backing off' || this.#state.kind === 'awaiting slot';
  }

  /** The id of the request whose response left the fields pending. */
  get requestId(): string | undefined {
    return this.job.headers.find(([name]) => name === 'x-request-id')?.[1];
  }

  get pendingFields(): readonly JobField[] {
    return Array.from(this.#pending.values(), ({ field }) => field);
  }

  /** Starts with an attempt that is already running: the execution of the first response. */
  start(attempt: JobAttempt): void {
    void this.#runAttempt(attempt, () => {});
  }

  /** Starts with an attempt that waits for a slot. */
  schedule(): void {
    this.#awaitSlot();
  }

  /** Takes the execution of an equal response, which is under way, as a further attempt if none is running. Its failure
   *  does not count: otherwise many equal responses would use up the attempts at once. */
  adopt(attempt: JobAttempt): void {
    if (!this.isWaiting) {
      attempt.cancel();
      return;
    }
    this.#stopWaiting();
    void this.#runAttempt(attempt, () => {}, true);
  }

  /** Ends a waiting run without another attempt. Subscribers get the last failures. */
  drop(outcome: 'evicted' | 'expired'): void {
    this.#publishFailures();
    this.#end({ kind: 'dropped' }, outcome);
  }

  /** Ends the run here, and lets another process resume it. */
  release(): void {
    this.#cancelAttempt();
    this.#end({ kind: 'released' });
  }

  /** Forgets the run: its token belongs to another run. */
  discard(): void {
    this.#cancelAttempt();
    this.#end();
  }

  get #hasEnded(): boolean {
    return this.#state.kind === 'ended';
  }

  async #runAttempt(attempt: JobAttempt, releaseSlot: ReleaseSlot, isAdopted = false): Promise<void> {
    this.#setState({ kind: 'attempting', attempt, releaseSlot });
    for (const pending of this.#pending.values()) pending.failure = undefined;
    try {
      await attempt.collect((result) => this.#accept(result));
    } catch (error) {
      if (!this.#hasEnded) this.#dependencies.onInternalError(error, this);
    }
    if (this.#hasEnded) return;
    releaseSlot();
    if (this.#pending.size === 0) this.#end({ kind: 'done' }, 'done');
    else if (isAdopted) this.#backOff();
    else this.#handleFailure();
  }

  #accept(result: FieldResult): void {
    const pending = this.#pending.get(result.key);
    if (this.#hasEnded || pending === undefined) return;
    if (result.isRetryable) {
      pending.failure = result;
      return;
    }
    this.#pending.delete(result.key);
    this.#dependencies.store.publish(this.id, result);
  }

  #handleFailure(): void {
    const { store, retryBudget, maxAttempts, observer } = this.#dependencies;
    if (this.job.snapshot === undefined) {
      this.#publishFailures();
      this.#end({ kind: 'dropped' }, 'too large');
      return;
    }
    this.#failedAttempts += 1;
    const failure = { attempts: this.#failedAttempts, error: this.#describeFailure() };
    if (this.#failedAttempts >= maxAttempts || !retryBudget.tryTake()) {
      const failedKeys = [...this.#pending.keys()];
      this.#publishFailures();
      this.#dependencies.onFailed(failure.error, this);
      this.#end({ kind: 'failed', failedKeys, ...failure }, 'failed');
      return;
    }
    observer.onRetry({ priority: this.job.priority });
    store.recordFailure(this.id, failure);
    this.#backOff();
  }

  #backOff(): void {
    const { backoff, timers, random } = this.#dependencies;
    const delayMs = retryDelayMs(this.#failedAttempts, backoff, random);
    const cancelTimer = timers.after(delayMs, () => this.#awaitSlot());
    this.#setState({ kind: 'backing off', cancelTimer });
  }

  #awaitSlot(): void {
    // `#retry` may be called before `acquire` returns; it reads the state only after it has waited for the store.
    const releaseSlot = this.#dependencies.limiter.acquire(this.job.priority, () => void this.#retry());
    this.#setState({ kind: 'awaiting slot', releaseSlot });
  }

  async #retry(): Promise<void> {
    const { store, executor, attemptTimeoutMs, timers, isShed } = this.#dependencies;
    const isWanted = await store.isWanted(this.id);
    if (this.#state.kind !== 'awaiting slot') return;
    if (!isWanted) {
      this.drop('expired');
      return;
    }
    if (isShed(this.job.priority)) {
      this.#state.releaseSlot();
      const cancelTimer = timers.after(shedPauseMs, () => this.#awaitSlot());
      this.#setState({ kind: 'backing off', cancelTimer });
      return;
    }
    const remaining = { ...this.job, fields: this.pendingFields };
    await this.#runAttempt(executor.createAttempt(remaining, attemptTimeoutMs), this.#state.releaseSlot);
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

  #setState(state: RunnerState): void {
    this.#state = state;
    this.#dependencies.onStateChange(this);
  }

  /** Releases what the current state holds. */
  #stopWaiting(): void {
    if (this.#state.kind === 'backing off') this.#state.cancelTimer();
    else if ('releaseSlot' in this.#state) this.#state.releaseSlot();
  }

  #cancelAttempt(): void {
    if (this.#state.kind === 'attempting') this.#state.attempt.cancel();
  }

  #end(end?: JobRunEnd, outcome?: JobOutcome): void {
    if (this.#hasEnded) return;
    this.#stopWaiting();
    this.#state = { kind: 'ended' };
    const { store, observer, onEnd } = this.#dependencies;
    if (end !== undefined) store.settle(this.id, end);
    if (outcome !== undefined) observer.onSettled({ priority: this.job.priority, outcome });
    onEnd(this);
  }
}

/** The result of a field for which no attempt has brought any. */
export function unansweredResult({ key, path }: JobField): FieldResult {
  const error = new GatewayError(
    'INTERNAL_SERVER_ERROR',
    'The gateway could not fetch this field. Send the operation again.',
    {
      path,
    },
  );
  return { key, path, data: null, errors: [error.toFormatted()], isRetryable: true };
}
