import type { CancelTimer, Timers } from '../../time/timers.ts';
import type { EnrichmentJob, PlaceResult } from '../enrichmentJob.ts';
import { ChangeListeners } from './changeListeners.ts';
import type { JobQuery, JobView, RetryVerdict } from './jobAdmin.ts';
import type { LateObserver } from './lateObserver.ts';
import { type LatePolicy, logOutlivesTokensMs } from './latePolicy.ts';
import type {
  FoundToken,
  LateStore,
  NewWork,
  OpenWork,
  TokenRecord,
  WorkEnd,
  WorkFailure,
} from './lateStore.ts';
import { PutAside } from './putAside.ts';
import { type LiveToken, TokenTable } from './tokenTable.ts';
import { type LogPage, UpdateLog } from './updateLog.ts';
import { viewOf } from './viewOf.ts';

export interface MemoryLateStoreOptions {
  readonly policy: LatePolicy;
  readonly timers: Timers;
  /** The clock, in milliseconds. */
  readonly now: () => number;
  readonly observer: LateObserver;
}

interface KeptWork {
  readonly id: string;
  /** Without its snapshot once nothing more is done for it. */
  job: EnrichmentJob;
  readonly log: UpdateLog;
  readonly begunAt: number;
  /** It was put aside, and is tried once more. */
  readonly isRetried: boolean;
  failure: WorkFailure | undefined;
  cancelExpiry: CancelTimer;
}

/** Late work in the memory of the process. */
export class MemoryLateStore implements LateStore {
  readonly #options: MemoryLateStoreOptions;
  readonly #tokens: TokenTable;
  readonly #works = new Map<string, KeptWork>();
  /** Those for which nothing more is done, the oldest first. */
  readonly #settled = new Set<string>();
  /** Of the updates of all, and of those: bytes as JSON text. */
  readonly #bytes = { all: 0, settled: 0 };
  readonly #aside: PutAside;
  readonly #listeners = new ChangeListeners();
  #adopt: (work: OpenWork) => boolean = () => false;

  constructor(options: MemoryLateStoreOptions) {
    this.#options = options;
    const { policy, timers, now } = options;
    const { keepFailed, keepFailedFor, maxPendingSize } = policy.jobs;
    this.#tokens = new TokenTable({ expireAfter: policy.tokens.expireAfter, timers, now });
    this.#aside = new PutAside({
      most: keepFailed,
      // As much again as may be under way.
      mostBytes: maxPendingSize,
      keepFor: keepFailedFor,
      timers,
      now,
    });
  }

  start(adopt: (work: OpenWork) => boolean): void {
    this.#adopt = adopt;
  }

  async stop(): Promise<void> {
    this.#adopt = () => false;
  }

  async open(work: NewWork, token: TokenRecord): Promise<string> {
    const places = work.job.places.map(({ key }) => key);
    this.#keep(work, new UpdateLog(places), false);
    this.#tokens.add(token, work.id);
    return work.id;
  }

  async join(workId: string, token: TokenRecord): Promise<boolean> {
    const work = this.#works.get(workId);
    if (work === undefined) return false;
    this.#tokens.add(token, workId);
    this.#expireLater(work);
    return true;
  }

  async find(tokenHash: string): Promise<FoundToken | undefined> {
    return this.#tokens.find(tokenHash);
  }

  async read(workId: string, after: string): Promise<LogPage | undefined> {
    return this.#works.get(workId)?.log.after(after);
  }

  watch(workId: string, onChange: () => void): () => void {
    return this.#listeners.add(workId, onChange);
  }

  publish(workId: string, result: PlaceResult): void {
    const log = this.#works.get(workId)?.log;
    if (log === undefined) return;
    const before = log.size;
    if (log.append(result) === undefined) return;
    this.#bytes.all += log.size - before;
    this.#listeners.tell(workId);
  }

  /** Bytes of the updates of works that are under way, as JSON text. */
  get openBytes(): number {
    return this.#bytes.all - this.#bytes.settled;
  }

  noteFailure(workId: string, failure: WorkFailure): void {
    const work = this.#works.get(workId);
    if (work !== undefined) work.failure = failure;
  }

  /** The log of a work; `undefined` where it is forgotten. */
  logOf(workId: string): UpdateLog | undefined {
    return this.#works.get(workId)?.log;
  }

  /** Keeps a work that began elsewhere, with what it has brought. */
  restore(work: NewWork, log: UpdateLog, begunAt: number, isRetried: boolean): void {
    this.#keep(work, log, isRetried, begunAt);
  }

  /** Forgets a work, but not its tokens. */
  release(workId: string): void {
    const work = this.#works.get(workId);
    if (work !== undefined) this.#forget(work);
  }

  /** The token leads to this work, which may be one of another process. */
  redirect(token: TokenRecord, workId: string): void {
    this.#tokens.add(token, workId);
  }

  tokens(): readonly LiveToken[] {
    return this.#tokens.all();
  }

  async isWanted(workId: string): Promise<boolean> {
    return this.#tokens.leadTo(workId) || this.#works.get(workId)?.isRetried === true;
  }

  settle(workId: string, end: WorkEnd): void {
    const work = this.#works.get(workId);
    if (work === undefined) return;
    if (end.kind === 'failed') {
      const { keys, attempts, error } = end;
      const { id, job, begunAt } = work;
      this.#aside.add({ id, job, begunAt, keys, attempts, error, failedAt: this.#options.now() });
    }
    // What follows of it are its updates; the snapshot may be a hundred times as large.
    work.job = { ...work.job, snapshot: undefined };
    this.#addSettled(work);
    this.#forgetSurplus();
  }

  async list({ state, limit }: JobQuery): Promise<readonly JobView[]> {
    const now = this.#options.now();
    const failed = state === 'waiting' ? [] : this.#aside.all();
    const waiting = state === 'failed' ? [] : [...this.#works.values()].filter((work) => this.#isOpen(work));
    return [
      ...failed.slice(-limit).map((work) => viewOf('failed', work, work, now)),
      ...waiting.slice(-limit).map((work) => viewOf('waiting', work, work.failure, now)),
    ].sort((one, other) => one.ageMs - other.ageMs);
  }

  async retry(id: string): Promise<RetryVerdict> {
    const kept = this.#works.get(id);
    const failed = this.#aside.get(id);
    if (failed === undefined) return kept !== undefined && this.#isOpen(kept) ? 'not failed' : 'unknown';
    const { job, keys: missing } = failed;
    const log = kept?.log ?? new UpdateLog([]);
    const work = this.#keep({ id, job }, log, true, failed.begunAt);
    if (!this.#adopt({ id, job, missing, attempts: 0, from: 'put aside' })) {
      this.#addSettled(work);
      return 'busy';
    }
    log.reopen(missing);
    this.#aside.remove(id);
    return 'retried';
  }

  async close(): Promise<void> {
    this.#tokens.clear();
    this.#aside.clear();
    for (const { cancelExpiry } of this.#works.values()) cancelExpiry();
    this.#works.clear();
    this.#settled.clear();
    Object.assign(this.#bytes, { all: 0, settled: 0 });
    this.#listeners.tellAll();
  }

  #isOpen({ id }: KeptWork): boolean {
    return !this.#settled.has(id);
  }

  #keep({ id, job }: NewWork, log: UpdateLog, isRetried: boolean, begunAt = this.#options.now()): KeptWork {
    const work = { id, job, log, begunAt, isRetried, failure: undefined, cancelExpiry: () => {} };
    const before = this.#works.get(id);
    if (before !== undefined) this.#remove(before);
    this.#works.set(id, work);
    this.#bytes.all += log.size;
    this.#expireLater(work);
    return work;
  }

  #addSettled({ id, log }: KeptWork): void {
    if (this.#settled.has(id)) return;
    this.#settled.add(id);
    // Nothing is added to it any more.
    this.#bytes.settled += log.size;
  }

  #remove({ id, log, cancelExpiry }: KeptWork): void {
    cancelExpiry();
    this.#works.delete(id);
    this.#bytes.all -= log.size;
    if (this.#settled.delete(id)) this.#bytes.settled -= log.size;
  }

  #expireLater(work: KeptWork): void {
    const { policy, timers } = this.#options;
    work.cancelExpiry();
    work.cancelExpiry = timers.after(policy.tokens.expireAfter + logOutlivesTokensMs, () => {
      // It has its own end, after so many attempts.
      if (work.isRetried && this.#isOpen(work)) this.#expireLater(work);
      else this.#forget(work);
    });
  }

  #forget(work: KeptWork): void {
    this.#remove(work);
    this.#listeners.tell(work.id);
  }

  /** What is done is kept for those who come late, up to as many as may be under way, and so many bytes; the newest in
   *  any case. */
  #forgetSurplus(): void {
    const { policy, observer } = this.#options;
    const { maxPending, maxUpdatesSize } = policy.jobs;
    for (const id of this.#settled) {
      const count = this.#settled.size;
      if (count <= maxPending && (count === 1 || this.#bytes.settled <= maxUpdatesSize)) return;
      const work = this.#works.get(id);
      if (work === undefined) continue;
      if (this.#tokens.leadTo(id)) observer.onForgotten({ updates: work.log.entries.length });
      this.#forget(work);
    }
  }
}
