import { randomBytes } from 'node:crypto';
import { GatewayError } from '../../errors.ts';
import type { EnrichmentPriority } from '../../operation/enrichmentRule.ts';
import { firstStreamId, isStreamId } from '../../redis/streamIds.ts';
import type { IssuedToken } from '../../response/enrichmentExtension.ts';
import { RatioBudget } from '../../time/ratioBudget.ts';
import type { Timers } from '../../time/timers.ts';
import { withTimeout } from '../../time/withTimeout.ts';
import type {
  ArrivedUpdates,
  Caller,
  DeferredEnrichments,
  EnrichmentUpdate,
} from '../deferredEnrichments.ts';
import type { EnrichmentJob, JobAttempt, JobExecutor } from '../enrichmentJob.ts';
import { ConcurrencyLimiter } from './concurrencyLimiter.ts';
import { createToken, hashOf, isWellFormedToken, mayUseToken, ownerHashOf } from './enrichmentToken.ts';
import type { JobAdmin, JobQuery, JobView, RetryResult } from './jobAdmin.ts';
import type { JobObserver } from './jobObserver.ts';
import type { JobPolicy } from './jobPolicy.ts';
import { JobPool } from './jobPool.ts';
import type { ResumableJobRun } from './jobRun.ts';
import type { JobStore, TokenRecord } from './jobStore.ts';
import { jobStoreUnavailableError } from './readLimiter.ts';
import { UpdateSubscription, updatesOf } from './updateSubscription.ts';

interface JobLogger {
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
}

export interface EnrichmentJobsOptions {
  readonly store: JobStore;
  readonly executor: JobExecutor;
  readonly policy: JobPolicy;
  /** Timeout of every attempt except the first, which belongs to the response. */
  readonly attemptTimeoutMs: number;
  /** Whether attempts of this priority wait, because the process is overloaded. The first attempt does not. */
  isShed(priority: EnrichmentPriority): boolean;
  readonly timers: Timers;
  /** From 0, inclusive, to 1, exclusive. */
  readonly random?: () => number;
  readonly observer: JobObserver;
  readonly log: JobLogger;
}

const readTimeoutMs = 5_000;

/** Retries that are allowed besides `enrichment.jobs.budgetRatio`, unless it is 0, for processes with few jobs. */
const minRetriesPerSecond = 10;

/** The enrichment jobs of one process: issues tokens, runs jobs, and serves updates to the owners of tokens. */
export class EnrichmentJobs implements DeferredEnrichments, JobAdmin {
  readonly #options: EnrichmentJobsOptions;
  readonly #pool: JobPool;
  readonly #retryBudget: RatioBudget;
  #isResuming = false;
  #isClosing = false;

  constructor(options: EnrichmentJobsOptions) {
    this.#options = options;
    const { store, executor, policy, attemptTimeoutMs, timers, observer, log } = options;
    const { maxPending, maxPendingSize, attempts, backoff, budgetRatio, concurrency } = policy.jobs;
    const minPerSecond = budgetRatio === 0 ? 0 : minRetriesPerSecond;
    this.#retryBudget = new RatioBudget(budgetRatio, () => timers.now(), minPerSecond);
    this.#pool = new JobPool(
      { maxRuns: maxPending, maxBytes: maxPendingSize },
      {
        store,
        executor,
        attemptTimeoutMs,
        maxAttempts: attempts,
        backoff,
        retryBudget: this.#retryBudget,
        isShed: options.isShed,
        limiter: new ConcurrencyLimiter(concurrency),
        timers,
        random: options.random ?? Math.random,
        observer,
        onInternalError: (error, { id: job, requestId }) =>
          log.error(
            { err: error, job, requestId },
            'An internal error ended an attempt at an enrichment job',
          ),
        onFailed: (problem, { id: job, requestId }) =>
          log.debug({ problem, job, requestId }, 'An enrichment job has failed and is a dead letter'),
      },
    );
  }

  /** Starts resuming jobs: those of processes that have died, and dead letters that an operator retries. Idempotent. */
  startResuming(): void {
    if (this.#isResuming || this.#isClosing) return;
    this.#isResuming = true;
    this.#options.store.start((run) => this.#resume(run));
  }

  /** The number of unfinished job runs in this process. */
  get count(): number {
    return this.#pool.size;
  }

  /** See `JobPool.oldestAgeMs`. */
  get oldestAgeMs(): number {
    return this.#pool.oldestAgeMs;
  }

  async enqueue(job: EnrichmentJob, attempt: JobAttempt, caller: Caller): Promise<IssuedToken | undefined> {
    const token = createToken();
    const { traceparent } = job;
    const record = { tokenHash: hashOf(token), ownerHash: ownerHashOf(caller), traceparent };
    const { policy, observer } = this.#options;
    const outcome = await this.#admit(job, attempt, record);
    observer.onEnqueued({ priority: job.priority, outcome });
    return outcome === 'refused' ? undefined : { token, expiresInMs: policy.tokens.expireAfter };
  }

  async subscribe(
    token: string,
    caller: Caller,
    cursor: string | undefined,
  ): Promise<AsyncIterableIterator<EnrichmentUpdate> | undefined> {
    const runId = await this.#findRun(token, caller);
    if (runId === undefined) return undefined;
    return new UpdateSubscription({
      store: this.#options.store,
      runId,
      after: cursorOrStart(cursor),
      findCurrentRun: () => {
        // A store that is closing has evicted everything; another process may still have the run.
        if (this.#isClosing) throw jobStoreUnavailableError();
        return this.#findRun(token, caller);
      },
    });
  }

  async readArrived(token: string, caller: Caller, cursor?: string): Promise<ArrivedUpdates | undefined> {
    let runId = await this.#findRun(token, caller);
    // When the log is gone, the token may belong to the run of an equal job by now.
    for (let missing: string | undefined; runId !== undefined && runId !== missing; ) {
      const page = await this.#withReadTimeout(this.#options.store.read(runId, cursorOrStart(cursor)));
      if (page !== undefined) return { updates: updatesOf(page), hasNext: page.remaining > 0 };
      missing = runId;
      runId = await this.#findRun(token, caller);
    }
    return undefined;
  }

  list(query: JobQuery): Promise<readonly JobView[]> {
    return this.#withReadTimeout(this.#options.store.list(query), jobsUnreadableError);
  }

  retry(id: string): Promise<RetryResult> {
    return this.#withReadTimeout(this.#options.store.retry(id), jobsUnreadableError);
  }

  /** Stops resuming the jobs of other processes. Resolves when no attempt is running. */
  async drain(): Promise<void> {
    await this.#options.store.stop();
    await this.#pool.whenIdle();
  }

  /** `withinMs`: how long running attempts may take to finish. */
  async close(withinMs: number): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const { store, timers, log } = this.#options;
    const stopped = store.stop();
    const idle = stopped.then(() => this.#pool.whenIdle());
    // Attempts finish while the store waits for Redis.
    await Promise.all([stopped, withTimeout(withinMs, idle, timers)]);
    const unfinished = this.#pool.releaseAll();
    if (unfinished.size > 0) {
      log.warn(
        { fields: Object.fromEntries(unfinished) },
        'This process stops before it has fetched all pending enrichments (listen.drainTimeout)',
      );
    }
    await store.close();
  }

  async #admit(
    job: EnrichmentJob,
    attempt: JobAttempt,
    token: TokenRecord,
  ): Promise<'created' | 'joined' | 'refused'> {
    const { store } = this.#options;
    const equal = this.#pool.findEqual(job.id);
    if (equal !== undefined && (await store.join(equal.id, token))) {
      equal.adopt(attempt);
      return 'joined';
    }
    if (this.#isClosing || !this.#pool.makeRoom(job)) {
      attempt.cancel();
      return 'refused';
    }
    this.#retryBudget.recordFirstAttempt();
    const run = {
      id: `${job.id}.${randomBytes(9).toString('base64url')}`,
      job: this.#withoutLargeSnapshot(job),
    };
    const opened = store.open(run, token);
    const pendingKeys = job.fields.map(({ key }) => key);
    const runner = this.#pool.add({ ...run, pendingKeys, failedAttempts: 0 });
    // Must not wait for the store: results arrive whether or not Redis answers.
    runner.start(attempt);
    if ((await opened) === run.id) return 'created';
    runner.discard();
    return 'joined';
  }

  #withoutLargeSnapshot(job: EnrichmentJob): EnrichmentJob {
    const { policy, observer } = this.#options;
    if (job.snapshotSize <= policy.jobs.maxSnapshotSize) return job;
    observer.onNotPersisted({ reason: 'too large' });
    // `size` stays: the running attempt holds the same data.
    return { ...job, snapshot: undefined };
  }

  #resume(run: ResumableJobRun): boolean {
    const { priority } = run.job;
    if (this.#isClosing || this.#pool.has(run.id) || !this.#pool.makeRoom(run.job)) return false;
    this.#pool.add(run).schedule();
    this.#options.observer.onResumed({ priority, resumedFrom: run.resumedFrom });
    return true;
  }

  async #findRun(token: string, caller: Caller): Promise<string | undefined> {
    if (!isWellFormedToken(token)) return undefined;
    const found = await this.#withReadTimeout(this.#options.store.findToken(hashOf(token)));
    if (found === undefined || !mayUseToken(found.ownerHash, caller)) return undefined;
    caller.onFound?.(found.traceparent);
    return found.runId;
  }

  /** Rejects after a timeout: an answer would say whether the token is valid. */
  #withReadTimeout<Value>(answer: Promise<Value>, createError = jobStoreUnavailableError): Promise<Value> {
    return new Promise((resolve, reject) => {
      const cancelTimer = this.#options.timers.after(readTimeoutMs, () => reject(createError()));
      answer.then(resolve, reject).finally(cancelTimer);
    });
  }
}

/** For operators. */
function jobsUnreadableError(): GatewayError {
  return new GatewayError(
    'OVERLOADED',
    `Redis did not give access to enrichment jobs within ${readTimeoutMs / 1_000} s. Try again when it answers.`,
  );
}

/** @throws {GatewayError} for a malformed cursor. Its client would take all updates for later ones. */
function cursorOrStart(cursor: string | undefined): string {
  if (cursor === undefined || cursor === '') return firstStreamId;
  if (isStreamId(cursor)) return cursor;
  throw new GatewayError(
    'BAD_REQUEST',
    'The cursor (`Last-Event-ID`) is not the cursor of an update. Send none, or that of the last update that you received.',
  );
}
