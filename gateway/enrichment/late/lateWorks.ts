import { randomBytes } from 'node:crypto';
import { firstStreamId, isStreamId } from '../../redis/streamIds.ts';
import type { Timers } from '../../time/timers.ts';
import type { EnrichmentJob, EnrichmentRun, EnrichmentRunner } from '../enrichmentJob.ts';
import type {
  ArrivedUpdates,
  Caller,
  EnrichmentUpdate,
  LateEnrichments,
  Ticket,
} from '../lateEnrichments.ts';
import { Following, updatesOf } from './following.ts';
import type { JobAdmin, JobQuery, JobView, RetryVerdict } from './jobAdmin.ts';
import type { LateObserver } from './lateObserver.ts';
import type { LatePolicy } from './latePolicy.ts';
import type { LateStore, OpenWork, TokenRecord } from './lateStore.ts';
import { hashOf, isSameHash, isToken, newToken } from './lateToken.ts';
import { unreachable } from './pendingReads.ts';
import { RetryBudget } from './retryBudget.ts';
import { WorkPool } from './workPool.ts';
import { WorkTurns } from './workTurns.ts';

/** Where late work reports what clients must not see. */
export interface LateLog {
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
}

export interface LateWorksOptions {
  readonly store: LateStore;
  readonly runner: EnrichmentRunner;
  readonly policy: LatePolicy;
  /** Milliseconds that an attempt may take, the first excepted. */
  readonly attemptDeadline: number;
  /** Milliseconds that attempts under way get to end when this is closed. */
  readonly drainTimeout: number;
  readonly timers: Timers;
  /** Milliseconds since any moment, never going back. */
  readonly monotonicNow: () => number;
  /** From 0 to 1, 1 excepted. */
  readonly random?: () => number;
  readonly observer: LateObserver;
  readonly log: LateLog;
}

/** Late work of one process: whose it is, what is under way, and who follows it. */
export class LateWorks implements LateEnrichments, JobAdmin {
  readonly #options: LateWorksOptions;
  readonly #pool: WorkPool;
  readonly #budget: RetryBudget;
  #isClosing = false;

  constructor(options: LateWorksOptions) {
    this.#options = options;
    const { store, runner, policy, attemptDeadline, timers, observer, log } = options;
    const { maxPending, maxPendingSize, attempts, backoff, budgetRatio, concurrency } = policy.jobs;
    this.#budget = new RetryBudget({ ratio: budgetRatio, now: options.monotonicNow });
    this.#pool = new WorkPool(
      { most: maxPending, mostBytes: maxPendingSize },
      {
        store,
        runner,
        deadline: attemptDeadline,
        attempts,
        backoff,
        budget: this.#budget,
        turns: new WorkTurns(concurrency),
        timers,
        random: options.random ?? Math.random,
        observer,
        onFault: (error, job) => log.error({ error, job }, 'An enrichment failed by a fault of the gateway'),
      },
    );
    store.start((work) => this.#adopt(work));
  }

  /** Jobs that are under way or wait in this process. */
  get pending(): number {
    return this.#pool.size;
  }

  async handOver(job: EnrichmentJob, run: EnrichmentRun, caller: Caller): Promise<Ticket | undefined> {
    const token = newToken();
    const record = { tokenHash: hashOf(token), identityHash: hashOf(caller.identity) };
    const { policy, observer } = this.#options;
    const outcome = await this.#take(job, run, record);
    observer.onHandedOver({ priority: job.priority, outcome });
    return outcome === 'refused' ? undefined : { token, expiresInMs: policy.tokens.expireAfter };
  }

  async follow(
    token: string,
    caller: Caller,
    cursor: string | undefined,
  ): Promise<AsyncIterableIterator<EnrichmentUpdate> | undefined> {
    const workId = await this.#find(token, caller);
    if (workId === undefined) return undefined;
    const { store } = this.#options;
    const findAgain = () => {
      // What was there is forgotten here, but perhaps not elsewhere.
      if (this.#isClosing) throw unreachable();
      return this.#find(token, caller);
    };
    return new Following({ store, workId, after: startOf(cursor), findAgain });
  }

  async arrived(token: string, caller: Caller): Promise<ArrivedUpdates | undefined> {
    let workId = await this.#find(token, caller);
    for (let forgotten: string | undefined; workId !== undefined && workId !== forgotten; ) {
      const page = await this.#soon(this.#options.store.read(workId, firstStreamId));
      if (page !== undefined) return { updates: updatesOf(page), hasNext: page.remaining > 0 };
      forgotten = workId;
      workId = await this.#find(token, caller);
    }
    return undefined;
  }

  list(query: JobQuery): Promise<readonly JobView[]> {
    return this.#soon(this.#options.store.list(query));
  }

  retry(id: string): Promise<RetryVerdict> {
    return this.#soon(this.#options.store.retry(id));
  }

  /** Resolves when no attempt is under way; from now on none is made for other processes. */
  async drain(): Promise<void> {
    await this.#options.store.stop();
    await this.#pool.quiet();
  }

  /** `withinMs`: how long attempts under way get, instead of `drainTimeout`. */
  async close(withinMs = this.#options.drainTimeout): Promise<void> {
    if (this.#isClosing) return;
    this.#isClosing = true;
    const { store, timers, log } = this.#options;
    await store.stop();
    await new Promise<void>((resolve) => {
      const cancelTimer = timers.after(withinMs, resolve);
      void this.#pool.quiet().then(() => {
        cancelTimer();
        resolve();
      });
    });
    const left = this.#pool.leaveAll();
    if (left.size > 0) {
      log.warn({ fields: Object.fromEntries(left) }, 'Enrichments are left that this process did not finish');
    }
    await store.close();
  }

  async #take(
    job: EnrichmentJob,
    run: EnrichmentRun,
    token: TokenRecord,
  ): Promise<'begun' | 'joined' | 'refused'> {
    const { store } = this.#options;
    const equal = this.#pool.equalTo(job.id);
    if (equal !== undefined && (await store.join(equal, token))) {
      run.cancel();
      return 'joined';
    }
    if (this.#isClosing || !this.#pool.makeRoom(job)) {
      run.cancel();
      return 'refused';
    }
    this.#budget.noteJob();
    const id = `${job.id}.${randomBytes(9).toString('base64url')}`;
    const kept = this.#withoutLargeSnapshot(job);
    const opened = store.open({ id, job: kept }, token);
    const work = this.#pool.add({ id, job: kept, missing: job.places.map(({ key }) => key), attempts: 0 });
    // Its results come whether or not Redis answers.
    work.begin(run);
    if ((await opened) === id) return 'begun';
    work.discard();
    return 'joined';
  }

  #withoutLargeSnapshot(job: EnrichmentJob): EnrichmentJob {
    const { policy, observer } = this.#options;
    if (job.snapshotSize <= policy.jobs.maxSnapshotSize) return job;
    observer.onKeptHere({ reason: 'too large' });
    // It counts as before: the run that is under way holds the same data.
    return { ...job, snapshot: undefined };
  }

  #adopt(work: OpenWork): boolean {
    const { priority } = work.job;
    if (this.#isClosing || this.#pool.has(work.id) || !this.#pool.makeRoom(work.job)) return false;
    this.#pool.add(work).queue();
    this.#options.observer.onAdopted({ priority, from: work.from });
    return true;
  }

  async #find(token: string, caller: Caller): Promise<string | undefined> {
    if (!isToken(token)) return undefined;
    const found = await this.#soon(this.#options.store.find(hashOf(token)));
    if (found === undefined || !isSameHash(found.identityHash, hashOf(caller.identity))) return undefined;
    return found.workId;
  }

  /** Rejects with a `GatewayError` where the answer takes too long for a client: whether a token is good is not known
   *  then. */
  #soon<Value>(answer: Promise<Value>): Promise<Value> {
    return new Promise((resolve, reject) => {
      const cancelTimer = this.#options.timers.after(patienceMs, () => reject(unreachable()));
      answer.then(resolve, reject).finally(cancelTimer);
    });
  }
}

const patienceMs = 5_000;

/** What is no cursor of ours is none: everything from the beginning. */
function startOf(cursor: string | undefined): string {
  return cursor !== undefined && isStreamId(cursor) ? cursor : firstStreamId;
}
