import type { CancelTimer, Timers } from '../../time/timers.ts';
import type { EnrichmentJob, FieldResult } from '../enrichmentJob.ts';
import { DeadLetterSet } from './deadLetterSet.ts';
import { type JobQuery, type JobView, jobViewOf, newestOfEachState, type RetryResult } from './jobAdmin.ts';
import type { JobObserver } from './jobObserver.ts';
import { type JobPolicy, logGracePeriodMs } from './jobPolicy.ts';
import type { JobRun, JobRunEnd, JobRunFailure } from './jobRun.ts';
import type { FoundToken, JobStore, ResumeRun, TokenRecord } from './jobStore.ts';
import { type LiveToken, TokenTable } from './tokenTable.ts';
import { type LogPage, UpdateLog } from './updateLog.ts';
import { UpdateNotifier } from './updateNotifier.ts';

export interface MemoryJobStoreOptions {
  readonly policy: JobPolicy;
  readonly timers: Timers;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly observer: JobObserver;
  /** Whether Redis may have the run, so that other processes may have tokens of it. It stays until `release`. */
  isReplicated?(runId: string): boolean;
}

interface StoredJobRun {
  readonly id: string;
  /** Without its snapshot once the run has ended. */
  job: EnrichmentJob;
  readonly log: UpdateLog;
  readonly createdAt: number;
  /** An operator has retried the run. */
  readonly isRetried: boolean;
  failure: JobRunFailure | undefined;
  cancelExpiry: CancelTimer;
}

/** A job store in the memory of the process. With Redis, it holds the runs and tokens of this process until Redis has
 *  them: the members at the end are for that. */
export class MemoryJobStore implements JobStore {
  readonly #options: MemoryJobStoreOptions;
  readonly #tokens: TokenTable;
  readonly #runs = new Map<string, StoredJobRun>();
  /** Ids of the runs that have ended, the oldest first. */
  readonly #settled = new Set<string>();
  /** Bytes of the updates of all runs, and of the settled ones, as JSON text. */
  readonly #bytes = { all: 0, settled: 0 };
  readonly #deadLetters: DeadLetterSet;
  readonly #notifier = new UpdateNotifier();
  #resume: ResumeRun = resumeNothing;

  constructor(options: MemoryJobStoreOptions) {
    this.#options = options;
    const { policy, timers, now } = options;
    const { maxDeadLetters, deadLetterRetention, maxPendingSize } = policy.jobs;
    this.#tokens = new TokenTable({ expireAfterMs: policy.tokens.expireAfter, timers, now });
    this.#deadLetters = new DeadLetterSet({
      maxCount: maxDeadLetters,
      // Separate from the same limit of the unfinished jobs.
      maxBytes: maxPendingSize,
      retentionMs: deadLetterRetention,
      timers,
      now,
    });
  }

  start(resume: ResumeRun): void {
    this.#resume = resume;
  }

  async stop(): Promise<void> {
    this.#resume = resumeNothing;
  }

  async close(): Promise<void> {
    this.#tokens.close();
    this.#deadLetters.clear();
    for (const { cancelExpiry } of this.#runs.values()) cancelExpiry();
    this.#runs.clear();
    this.#settled.clear();
    Object.assign(this.#bytes, { all: 0, settled: 0 });
    this.#notifier.notifyAll();
  }

  async open(run: JobRun, token: TokenRecord): Promise<string> {
    const pendingKeys = run.job.fields.map(({ key }) => key);
    this.#store(run, new UpdateLog(pendingKeys), false);
    this.#tokens.add(token, run.id);
    return run.id;
  }

  async join(runId: string, token: TokenRecord): Promise<boolean> {
    const run = this.#runs.get(runId);
    // The updates of a run may be much older than the response: its other fields may have waited for several attempts.
    if (run === undefined || run.log.entries.length > 0) return false;
    this.#tokens.add(token, runId);
    this.#scheduleExpiry(run);
    return true;
  }

  publish(runId: string, result: FieldResult): void {
    const log = this.#runs.get(runId)?.log;
    if (log === undefined) return;
    const sizeBefore = log.size;
    if (!log.append(result)) return;
    this.#bytes.all += log.size - sizeBefore;
    this.#notifier.notify(runId);
  }

  recordFailure(runId: string, failure: JobRunFailure): void {
    const run = this.#runs.get(runId);
    if (run !== undefined) run.failure = failure;
  }

  async isWanted(runId: string): Promise<boolean> {
    return this.#tokens.hasTokenFor(runId) || this.#runs.get(runId)?.isRetried === true;
  }

  settle(runId: string, end: JobRunEnd): void {
    const run = this.#runs.get(runId);
    if (run === undefined) return;
    if (end.kind === 'failed') {
      const { failedKeys, attempts, error } = end;
      const { id, job, createdAt } = run;
      const failedAt = this.#options.now();
      this.#deadLetters.add({ id, job, createdAt, failedKeys, attempts, error, failedAt });
    }
    // The updates stay; the snapshot may be a hundred times as large.
    run.job = { ...run.job, snapshot: undefined };
    this.#markSettled(run);
    this.#evictSurplus();
  }

  async findToken(tokenHash: string): Promise<FoundToken | undefined> {
    return this.#tokens.find(tokenHash);
  }

  async read(runId: string, after: string): Promise<LogPage | undefined> {
    return this.#runs.get(runId)?.log.pageAfter(after);
  }

  watch(runId: string, onChange: () => void): () => void {
    return this.#notifier.subscribe(runId, onChange);
  }

  async list({ state, limit }: JobQuery): Promise<readonly JobView[]> {
    const now = this.#options.now();
    const failed = state === 'waiting' ? [] : this.#deadLetters.all();
    const waiting = state === 'failed' ? [] : [...this.#runs.values()].filter((run) => this.#isActive(run));
    const views = [
      ...failed.slice(-limit).map((deadLetter) => jobViewOf('failed', deadLetter, deadLetter, now)),
      ...waiting.slice(-limit).map((run) => jobViewOf('waiting', run, run.failure, now)),
    ];
    return newestOfEachState(views, { limit });
  }

  async retry(id: string): Promise<RetryResult> {
    const known = this.#runs.get(id);
    const deadLetter = this.#deadLetters.get(id);
    if (deadLetter === undefined) {
      return known !== undefined && this.#isActive(known) ? 'not failed' : 'unknown';
    }
    const { job, failedKeys: pendingKeys, createdAt } = deadLetter;
    const log = known?.log ?? new UpdateLog([]);
    const run = this.#store({ id, job }, log, true, createdAt);
    if (!this.#resume({ id, job, pendingKeys, failedAttempts: 0, resumedFrom: 'dead letter' })) {
      if (known === undefined) this.#remove(run);
      else this.#markSettled(run);
      return 'busy';
    }
    log.reopen(pendingKeys);
    this.#deadLetters.remove(deadLetter);
    return 'retried';
  }

  /** Bytes of the updates of unfinished runs, as JSON text. */
  get activeUpdateBytes(): number {
    return this.#bytes.all - this.#bytes.settled;
  }

  logOf(runId: string): UpdateLog | undefined {
    return this.#runs.get(runId)?.log;
  }

  /** Stores a run that another process has created, with its updates. */
  restore(run: JobRun, log: UpdateLog, createdAt: number, isRetried: boolean): void {
    this.#store(run, log, isRetried, createdAt);
  }

  /** Removes a run, but not its tokens. */
  release(runId: string): void {
    const run = this.#runs.get(runId);
    if (run !== undefined) this.#evict(run);
  }

  /** Moves the tokens of a run to another run, perhaps one of another process. */
  moveTokens(runId: string, otherRunId: string): void {
    this.#tokens.move(runId, otherRunId);
  }

  liveTokens(): readonly LiveToken[] {
    return this.#tokens.all();
  }

  liveTokensOf(runId: string): readonly LiveToken[] {
    return this.#tokens.of(runId);
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
    const run: StoredJobRun = {
      id,
      job,
      log,
      createdAt,
      isRetried,
      failure: undefined,
      cancelExpiry: () => {},
    };
    const replaced = this.#runs.get(id);
    if (replaced !== undefined) this.#remove(replaced);
    this.#runs.set(id, run);
    this.#bytes.all += log.size;
    this.#scheduleExpiry(run);
    return run;
  }

  #markSettled({ id, log }: StoredJobRun): void {
    this.#settled.add(id);
    // The log of a settled run no longer grows.
    this.#bytes.settled += log.size;
  }

  #remove({ id, log, cancelExpiry }: StoredJobRun): void {
    cancelExpiry();
    this.#runs.delete(id);
    this.#bytes.all -= log.size;
    if (this.#settled.delete(id)) this.#bytes.settled -= log.size;
  }

  #scheduleExpiry(run: StoredJobRun): void {
    const { policy, timers } = this.#options;
    run.cancelExpiry();
    run.cancelExpiry = timers.after(policy.tokens.expireAfter + logGracePeriodMs, () => {
      // A retried run needs no token: it ends with its last attempt.
      const isNeeded = run.isRetried || this.#options.isReplicated?.(run.id) === true;
      if (isNeeded && this.#isActive(run)) this.#scheduleExpiry(run);
      else this.#evict(run);
    });
  }

  #evict(run: StoredJobRun): void {
    this.#remove(run);
    this.#notifier.notify(run.id);
  }

  /** Bounds the settled runs by number and by bytes of updates. The newest one always stays. */
  #evictSurplus(): void {
    const { policy, observer } = this.#options;
    const { maxPending, maxUpdatesSize } = policy.jobs;
    for (const id of this.#settled) {
      const count = this.#settled.size;
      if (count <= maxPending && (count === 1 || this.#bytes.settled <= maxUpdatesSize)) return;
      const run = this.#runs.get(id);
      if (run === undefined) continue;
      if (this.#tokens.hasTokenFor(id)) observer.onUpdatesEvicted({ updates: run.log.entries.length });
      // They would get only the retried fields if an operator retries the run.
      this.#tokens.removeAllOf(id);
      this.#evict(run);
    }
  }
}

function resumeNothing(): boolean {
  return false;
}
