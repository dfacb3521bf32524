import { randomBytes } from 'node:crypto';
import { firstStreamId, isStreamId } from '../../redis/streamIds.ts';
import type { Timers } from '../../time/timers.ts';
import type {
  ArrivedUpdates,
  Caller,
  DeferredEnrichments,
  EnrichmentUpdate,
  IssuedToken,
} from '../deferredEnrichments.ts';
import type { EnrichmentJob, JobAttempt, JobExecutor } from '../enrichmentJob.ts';
import { ConcurrencyLimiter } from './concurrencyLimiter.ts';
import { createToken, hashOf, isSameHash, isWellFormedToken } from './enrichmentToken.ts';
import type { JobAdmin, JobQuery, JobView, RetryResult } from './jobAdmin.ts';
import type { JobObserver } from './jobObserver.ts';
import type { JobPolicy } from './jobPolicy.ts';
import { JobPool } from './jobPool.ts';
import type { JobStore, ResumableJobRun, TokenRecord } from './jobStore.ts';
import { jobStoreUnavailableError } from './readLimiter.ts';
import { RetryBudget } from './retryBudget.ts';
import { UpdateSubscription, updatesOf } from './updateSubscription.ts';

/** Where late work reports what clients must not see. */
interface JobLogger {
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

export interface EnrichmentJobsOptions {
  readonly store: JobStore;
  readonly executor: JobExecutor;
  readonly policy: JobPolicy;
  /** Milliseconds that an attempt may take, the first excepted. */
  readonly attemptTimeoutMs: number;
  /** Milliseconds that attempts under way get to end when this is closed. */
  readonly drainTimeoutMs: number;
  readonly timers: Timers;
  /** Milliseconds since any moment, never going back. */
  readonly monotonicNow: () => number;
  /** From 0 to 1, 1 excepted. */
  readonly random?: () => number;
  readonly observer: JobObserver;
  readonly log: JobLogger;
}

/** Late work of one process: whose it is, what is under way, and who follows it. */
export class EnrichmentJobs implements DeferredEnrichments, JobAdmin {
  readonly #options: EnrichmentJobsOptions;
  readonly #pool: JobPool;
  readonly #retryBudget: RetryBudget;
  #isClosing = false;

  constructor(options: EnrichmentJobsOptions) {
    this.#options = options;
    const { store, executor, policy, attemptTimeoutMs, timers, observer, log } = options;
    const { maxPending, maxPendingSize, attempts, backoff, budgetRatio, concurrency } = policy.jobs;
    this.#retryBudget = new RetryBudget({ ratio: budgetRatio, now: options.monotonicNow });
    this.#pool = new JobPool(
      { maxRuns: maxPending, maxBytes: maxPendingSize },
      {
        store,
        executor,
        attemptTimeoutMs,
        maxAttempts: attempts,
        backoff,
        retryBudget: this.#retryBudget,
        limiter: new ConcurrencyLimiter(concurrency),
        timers,
        random: options.random ?? Math.random,
        observer,
        onInternalError: (error, job) =>
          log.error({ error, job }, 'An enrichment failed by a fault of the gateway'),
      },
    );
    store.start((work) => this.#resume(work));
  }

  /** Jobs that are under way or wait in this process. */
  get count(): number {
    return this.#pool.size;
  }

  async enqueue(job: EnrichmentJob, run: JobAttempt, caller: Caller): Promise<IssuedToken | undefined> {
    const token = createToken();
    const record = { tokenHash: hashOf(token), identityHash: hashOf(caller.identity) };
    const { policy, observer } = this.#options;
    const outcome = await this.#admit(job, run, record);
    observer.onEnqueued({ priority: job.priority, outcome });
    return outcome === 'refused' ? undefined : { token, expiresInMs: policy.tokens.expireAfter };
  }

  async subscribe(
    token: string,
    caller: Caller,
    cursor: string | undefined,
  ): Promise<AsyncIterableIterator<EnrichmentUpdate> | undefined> {
    const workId = await this.#findRun(token, caller);
    if (workId === undefined) return undefined;
    const { store } = this.#options;
    const findAgain = () => {
      // What was there is forgotten here, but perhaps not elsewhere.
      if (this.#isClosing) throw jobStoreUnavailableError();
      return this.#findRun(token, caller);
    };
    return new UpdateSubscription({
      store,
      runId: workId,
      after: cursorOrStart(cursor),
      findCurrentRun: findAgain,
    });
  }

  async readArrived(token: string, caller: Caller): Promise<ArrivedUpdates | undefined> {
    let workId = await this.#findRun(token, caller);
    for (let forgotten: string | undefined; workId !== undefined && workId !== forgotten; ) {
      const page = await this.#withReadTimeout(this.#options.store.read(workId, firstStreamId));
      if (page !== undefined) return { updates: updatesOf(page), hasNext: page.remaining > 0 };
      forgotten = workId;
      workId = await this.#findRun(token, caller);
    }
    return undefined;
  }

  list(query: JobQuery): Promise<readonly JobView[]> {
    return this.#withReadTimeout(this.#options.store.list(query));
  }

  retry(id: string): Promise<RetryResult> {
    return this.#withReadTimeout(this.#options.store.retry(id));
  }

  /** Resolves when no attempt is under way; from now on none is made for other processes. */
  async drain(): Promise<void> {
    await this.#options.store.stop();
    await this.#pool.whenIdle();
  }

  /** `withinMs`: how long attempts under way get, instead of `drainTimeout`. */
  async close(withinMs = this.#options.drainTimeoutMs): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const { store, timers, log } = this.#options;
    await store.stop();
    await new Promise<void>((resolve) => {
      const cancelTimer = timers.after(withinMs, resolve);
      void this.#pool.whenIdle().then(() => {
        cancelTimer();
        resolve();
      });
    });
    const left = this.#pool.releaseAll();
    if (left.size > 0) {
      log.warn({ fields: Object.fromEntries(left) }, 'Enrichments are left that this process did not finish');
    }
    await store.close();
  }

  async #admit(
    job: EnrichmentJob,
    run: JobAttempt,
    token: TokenRecord,
  ): Promise<'begun' | 'joined' | 'refused'> {
    const { store } = this.#options;
    const equal = this.#pool.findEqual(job.id);
    if (equal !== undefined && (await store.join(equal, token))) {
      run.cancel();
      return 'joined';
    }
    if (this.#isClosing || !this.#pool.makeRoom(job)) {
      run.cancel();
      return 'refused';
    }
    this.#retryBudget.recordJob();
    const id = `${job.id}.${randomBytes(9).toString('base64url')}`;
    const kept = this.#withoutLargeSnapshot(job);
    const opened = store.open({ id, job: kept }, token);
    const work = this.#pool.add({
      id,
      job: kept,
      pendingKeys: job.fields.map(({ key }) => key),
      failedAttempts: 0,
    });
    // Its results come whether or not Redis answers.
    work.start(run);
    if ((await opened) === id) return 'begun';
    work.discard();
    return 'joined';
  }

  #withoutLargeSnapshot(job: EnrichmentJob): EnrichmentJob {
    const { policy, observer } = this.#options;
    if (job.snapshotSize <= policy.jobs.maxSnapshotSize) return job;
    observer.onNotPersisted({ reason: 'too large' });
    // It counts as before: the run that is under way holds the same data.
    return { ...job, snapshot: undefined };
  }

  #resume(work: ResumableJobRun): boolean {
    const { priority } = work.job;
    if (this.#isClosing || this.#pool.has(work.id) || !this.#pool.makeRoom(work.job)) return false;
    this.#pool.add(work).schedule();
    this.#options.observer.onResumed({ priority, resumedFrom: work.resumedFrom });
    return true;
  }

  async #findRun(token: string, caller: Caller): Promise<string | undefined> {
    if (!isWellFormedToken(token)) return undefined;
    const found = await this.#withReadTimeout(this.#options.store.find(hashOf(token)));
    if (found === undefined || !isSameHash(found.identityHash, hashOf(caller.identity))) return undefined;
    return found.runId;
  }

  /** Rejects with a `GatewayError` where the answer takes too long for a client: whether a token is good is not known
   *  then. */
  #withReadTimeout<Value>(answer: Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      const cancelTimer = this.#options.timers.after(readTimeoutMs, () => reject(jobStoreUnavailableError()));
      answer.then(resolve, reject).finally(cancelTimer);
    });
  }
}

const readTimeoutMs = 5_000;

/** What is no cursor of ours is none: everything from the beginning. */
function cursorOrStart(cursor: string | undefined): string {
  return cursor !== undefined && isStreamId(cursor) ? cursor : firstStreamId;
}
