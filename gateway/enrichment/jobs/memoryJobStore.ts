import type { CancelTimer, Timers } from '../../time/timers.ts';
import type { EnrichmentJob, FieldResult } from '../enrichmentJob.ts';
import { DeadLetterSet } from './deadLetterSet.ts';
import type { JobQuery, JobView, RetryResult } from './jobAdmin.ts';
import type { JobObserver } from './jobObserver.ts';
import { type JobPolicy, logGracePeriodMs } from './jobPolicy.ts';
import type {
  FoundToken,
  JobRun,
  JobRunEnd,
  JobRunFailure,
  JobStore,
  ResumableJobRun,
  TokenRecord,
} from './jobStore.ts';
import { jobViewOf } from './jobViewOf.ts';
import { type LiveToken, TokenTable } from './tokenTable.ts';
import { type LogPage, UpdateLog } from './updateLog.ts';
import { UpdateNotifier } from './updateNotifier.ts';

export interface MemoryJobStoreOptions {
  readonly policy: JobPolicy;
  readonly timers: Timers;
  /** The clock, in milliseconds. */
  readonly now: () => number;
  readonly observer: JobObserver;
}

interface StoredJobRun {
  readonly id: string;
  /** Without its snapshot once nothing more is done for it. */
  job: EnrichmentJob;
  readonly log: UpdateLog;
  readonly createdAt: number;
  /** It was put aside, and is tried once more. */
  readonly isRetried: boolean;
  failure: JobRunFailure | undefined;
  cancelExpiry: CancelTimer;
}

/** Late work in the memory of the process. */
export class MemoryJobStore implements JobStore {
  readonly #options: MemoryJobStoreOptions;
  readonly #tokens: TokenTable;
  readonly #runs = new Map<string, StoredJobRun>();
  /** Those for which nothing more is done, the oldest first. */
  readonly #settled = new Set<string>();
  /** Of the updates of all, and of those: bytes as JSON text. */
  readonly #bytes = { all: 0, settled: 0 };
  readonly #deadLetters: DeadLetterSet;
  readonly #notifier = new UpdateNotifier();
  #resume: (work: ResumableJobRun) => boolean = () => false;

  constructor(options: MemoryJobStoreOptions) {
    this.#options = options;
    const { policy, timers, now } = options;
    const { keepFailed, keepFailedFor, maxPendingSize } = policy.jobs;
    this.#tokens = new TokenTable({ expireAfterMs: policy.tokens.expireAfter, timers, now });
    this.#deadLetters = new DeadLetterSet({
      maxCount: keepFailed,
      // As much again as may be under way.
      maxBytes: maxPendingSize,
      retentionMs: keepFailedFor,
      timers,
      now,
    });
  }

  start(adopt: (work: ResumableJobRun) => boolean): void {
    this.#resume = adopt;
  }

  async stop(): Promise<void> {
    this.#resume = () => false;
  }

  async open(work: JobRun, token: TokenRecord): Promise<string> {
    const places = work.job.fields.map(({ key }) => key);
    this.#store(work, new UpdateLog(places), false);
    this.#tokens.add(token, work.id);
    return work.id;
  }

  async join(workId: string, token: TokenRecord): Promise<boolean> {
    const work = this.#runs.get(workId);
    if (work === undefined) return false;
    this.#tokens.add(token, workId);
    this.#scheduleExpiry(work);
    return true;
  }

  async find(tokenHash: string): Promise<FoundToken | undefined> {
    return this.#tokens.find(tokenHash);
  }

  async read(workId: string, after: string): Promise<LogPage | undefined> {
    return this.#runs.get(workId)?.log.pageAfter(after);
  }

  watch(workId: string, onChange: () => void): () => void {
    return this.#notifier.subscribe(workId, onChange);
  }

  publish(workId: string, result: FieldResult): void {
    const log = this.#runs.get(workId)?.log;
    if (log === undefined) return;
    const before = log.size;
    if (log.append(result) === undefined) return;
    this.#bytes.all += log.size - before;
    this.#notifier.notify(workId);
  }

  /** Bytes of the updates of works that are under way, as JSON text. */
  get activeUpdateBytes(): number {
    return this.#bytes.all - this.#bytes.settled;
  }

  recordFailure(workId: string, failure: JobRunFailure): void {
    const work = this.#runs.get(workId);
    if (work !== undefined) work.failure = failure;
  }

  /** The log of a work; `undefined` where it is forgotten. */
  logOf(workId: string): UpdateLog | undefined {
    return this.#runs.get(workId)?.log;
  }

  /** Keeps a work that began elsewhere, with what it has brought. */
  restore(work: JobRun, log: UpdateLog, begunAt: number, isRetried: boolean): void {
    this.#store(work, log, isRetried, begunAt);
  }

  /** Forgets a work, but not its tokens. */
  release(workId: string): void {
    const work = this.#runs.get(workId);
    if (work !== undefined) this.#evict(work);
  }

  /** The token leads to this work, which may be one of another process. */
  redirect(token: TokenRecord, workId: string): void {
    this.#tokens.add(token, workId);
  }

  liveTokens(): readonly LiveToken[] {
    return this.#tokens.all();
  }

  async isWanted(workId: string): Promise<boolean> {
    return this.#tokens.hasTokenFor(workId) || this.#runs.get(workId)?.isRetried === true;
  }

  settle(workId: string, end: JobRunEnd): void {
    const work = this.#runs.get(workId);
    if (work === undefined) return;
    if (end.kind === 'failed') {
      const { failedKeys, attempts, error } = end;
      const { id, job, createdAt } = work;
      this.#deadLetters.add({
        id,
        job,
        createdAt,
        failedKeys,
        attempts,
        error,
        failedAt: this.#options.now(),
      });
    }
    // What follows of it are its updates; the snapshot may be a hundred times as large.
    work.job = { ...work.job, snapshot: undefined };
    this.#markSettled(work);
    this.#evictSurplus();
  }

  async list({ state, limit }: JobQuery): Promise<readonly JobView[]> {
    const now = this.#options.now();
    const failed = state === 'waiting' ? [] : this.#deadLetters.all();
    const waiting = state === 'failed' ? [] : [...this.#runs.values()].filter((work) => this.#isActive(work));
    return [
      ...failed.slice(-limit).map((work) => jobViewOf('failed', work, work, now)),
      ...waiting.slice(-limit).map((work) => jobViewOf('waiting', work, work.failure, now)),
    ].sort((one, other) => one.ageMs - other.ageMs);
  }

  async retry(id: string): Promise<RetryResult> {
    const kept = this.#runs.get(id);
    const failed = this.#deadLetters.get(id);
    if (failed === undefined) return kept !== undefined && this.#isActive(kept) ? 'not failed' : 'unknown';
    const { job, failedKeys: missing } = failed;
    const log = kept?.log ?? new UpdateLog([]);
    const work = this.#store({ id, job }, log, true, failed.createdAt);
    if (!this.#resume({ id, job, pendingKeys: missing, failedAttempts: 0, resumedFrom: 'put aside' })) {
      this.#markSettled(work);
      return 'busy';
    }
    log.reopen(missing);
    this.#deadLetters.remove(id);
    return 'retried';
  }

  async close(): Promise<void> {
    this.#tokens.clear();
    this.#deadLetters.clear();
    for (const { cancelExpiry } of this.#runs.values()) cancelExpiry();
    this.#runs.clear();
    this.#settled.clear();
    Object.assign(this.#bytes, { all: 0, settled: 0 });
    this.#notifier.notifyAll();
  }

  #isActive({ id }: StoredJobRun): boolean {
    return !this.#settled.has(id);
  }

  #store(
    { id, job }: JobRun,
    log: UpdateLog,
    isRetried: boolean,
    createdAt = this.#options.now(),
  ): StoredJobRun {
    const run = { id, job, log, createdAt, isRetried, failure: undefined, cancelExpiry: () => {} };
    const before = this.#runs.get(id);
    if (before !== undefined) this.#remove(before);
    this.#runs.set(id, run);
    this.#bytes.all += log.size;
    this.#scheduleExpiry(run);
    return run;
  }

  #markSettled({ id, log }: StoredJobRun): void {
    if (this.#settled.has(id)) return;
    this.#settled.add(id);
    // Nothing is added to it any more.
    this.#bytes.settled += log.size;
  }

  #remove({ id, log, cancelExpiry }: StoredJobRun): void {
    cancelExpiry();
    this.#runs.delete(id);
    this.#bytes.all -= log.size;
    if (this.#settled.delete(id)) this.#bytes.settled -= log.size;
  }

  #scheduleExpiry(work: StoredJobRun): void {
    const { policy, timers } = this.#options;
    work.cancelExpiry();
    work.cancelExpiry = timers.after(policy.tokens.expireAfter + logGracePeriodMs, () => {
      // It has its own end, after so many attempts.
      if (work.isRetried && this.#isActive(work)) this.#scheduleExpiry(work);
      else this.#evict(work);
    });
  }

  #evict(work: StoredJobRun): void {
    this.#remove(work);
    this.#notifier.notify(work.id);
  }

  /** What is done is kept for those who come late, up to as many as may be under way, and so many bytes; the newest in
   *  any case. */
  #evictSurplus(): void {
    const { policy, observer } = this.#options;
    const { maxPending, maxUpdatesSize } = policy.jobs;
    for (const id of this.#settled) {
      const count = this.#settled.size;
      if (count <= maxPending && (count === 1 || this.#bytes.settled <= maxUpdatesSize)) return;
      const work = this.#runs.get(id);
      if (work === undefined) continue;
      if (this.#tokens.hasTokenFor(id)) observer.onUpdatesEvicted({ updates: work.log.entries.length });
      this.#evict(work);
    }
  }
}
