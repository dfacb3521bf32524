import { randomUUID } from 'node:crypto';
import { PatientRedis } from '../../redis/patientRedis.ts';
import type { RedisFailure } from '../../redis/redisFailure.ts';
import type { RedisConfig } from '../../redis/redisOptions.ts';
import { RedisSubscriber } from '../../redis/redisSubscriber.ts';
import type { CancelTimer } from '../../time/timers.ts';
import type { PlaceResult } from '../enrichmentJob.ts';
import { ChangeListeners } from './changeListeners.ts';
import type { JobQuery, JobView, RetryVerdict } from './jobAdmin.ts';
import { LateKeys } from './lateKeys.ts';
import { logOutlivesTokensMs } from './latePolicy.ts';
import { type DueVerdict, LateQueue, type QueuedWork } from './lateQueue.ts';
import { isWorkWanted, joinWork, reopenWork, takeOver } from './lateScripts.ts';
import type {
  FoundToken,
  LateStore,
  NewWork,
  OpenWork,
  TokenRecord,
  WorkEnd,
  WorkFailure,
} from './lateStore.ts';
import { MemoryLateStore, type MemoryLateStoreOptions } from './memoryLateStore.ts';
import { PendingReads } from './pendingReads.ts';
import { ProcessLife } from './processLife.ts';
import { readRedisLog } from './redisLog.ts';
import { type LogPage, UpdateLog } from './updateLog.ts';
import { viewOf } from './viewOf.ts';
import { numberOf, WorkWriter } from './workWriter.ts';

export interface RedisLateStoreOptions extends MemoryLateStoreOptions {
  readonly config: RedisConfig;
  /** It is tried again. */
  onFailure(failure: RedisFailure | Error): void;
}

/** A work of this process that other processes are to know. */
interface SharedWork extends QueuedWork {
  readonly writer: WorkWriter;
  /** Resolves when it is clear that others know it, or that an equal one is in its place. */
  begun: Promise<unknown>;
  /** What is done in the queue, one after the other. */
  queued: Promise<void>;
}

// What is published is heard at once, unless it is lost.
const lookAgainMs = 5_000;
const toldAnewWithinMs = 2 * lookAgainMs;
const farewellMs = 2_000;

/** Late work that outlives its process. What this process does is in its memory as well until Redis has it, so that a
 *  Redis that is slow, gone or empty holds up nothing and loses nothing of it. */
export class RedisLateStore implements LateStore {
  readonly #options: RedisLateStoreOptions;
  readonly #processId = randomUUID();
  readonly #keys: LateKeys;
  readonly #memory: MemoryLateStore;
  readonly #redis: PatientRedis;
  readonly #subscriber: RedisSubscriber;
  readonly #queue: LateQueue;
  readonly #life: ProcessLife;
  readonly #shared = new Map<string, SharedWork>();
  /** What is not yet done of the ends of works. */
  readonly #settling = new Set<Promise<void>>();
  readonly #listeners = new ChangeListeners();
  readonly #reads: PendingReads;
  #tokensUnderWay = 0;
  #recoveredAt = Number.NEGATIVE_INFINITY;
  #cancelLook: CancelTimer = () => {};
  #adopt: ((work: OpenWork) => boolean) | undefined;
  #isClosed = false;

  constructor(options: RedisLateStoreOptions) {
    this.#options = options;
    const { config, policy, timers, onFailure } = options;
    const { takeOverAfter, concurrency, keepFailed, keepFailedFor, maxPending } = policy.jobs;
    this.#reads = new PendingReads(maxPending);
    const keys = new LateKeys(config.keyPrefix);
    this.#keys = keys;
    this.#memory = new MemoryLateStore(options);
    this.#redis = new PatientRedis({ config, onFailure, timers });
    this.#queue = new LateQueue({
      config,
      prefix: keys.queue,
      dueAfter: takeOverAfter,
      concurrency,
      keepFailed,
      keepFailedFor,
      handle: (work) => this.#handle(work),
      onError: onFailure,
    });
    this.#life = new ProcessLife({
      processId: this.#processId,
      redis: this.#redis,
      keys,
      timers,
      deadAfter: takeOverAfter,
      now: options.now,
    });
    this.#subscriber = new RedisSubscriber({
      config,
      channel: keys.changes,
      onMessage: (workId) => this.#listeners.tell(workId),
      onSubscribed: () => this.#recover(),
      onFailure,
      timers,
    });
    this.#lookAgain();
  }

  start(adopt: (work: OpenWork) => boolean): void {
    this.#adopt = adopt;
    this.#memory.start(adopt);
    void this.#life.beat();
    this.#queue.start();
  }

  async stop(): Promise<void> {
    this.#adopt = undefined;
    await this.#memory.stop();
    await this.#within(farewellMs, this.#queue.stop()).catch(this.#options.onFailure);
  }

  open(work: NewWork, token: TokenRecord): Promise<string> {
    const { policy, observer, now } = this.#options;
    // At once: results may come before anything else is done here.
    void this.#memory.open(work, token);
    if (JSON.stringify(work.job.snapshot ?? null).length > policy.jobs.maxSnapshotSize) {
      observer.onKeptHere({ reason: 'too large' });
      return Promise.resolve(work.id);
    }
    if (this.#shared.size >= this.#mostShared) {
      observer.onKeptHere({ reason: 'redis' });
      return Promise.resolve(work.id);
    }
    const shared = this.#share(
      { id: work.id, job: work.job, begunAt: now(), begunBy: this.#processId },
      false,
      undefined,
    );
    return this.#begin(shared, token);
  }

  async join(workId: string, token: TokenRecord): Promise<boolean> {
    if (!(await this.#memory.join(workId, token))) return false;
    const shared = this.#shared.get(workId);
    if (shared === undefined) return true;
    shared.writer.extend();
    const { handOverTimeout } = this.#options.policy.jobs;
    await this.#within(
      handOverTimeout,
      Promise.all([this.#writeToken(token, workId), shared.writer.write()]),
    );
    return true;
  }

  async find(tokenHash: string): Promise<FoundToken | undefined> {
    const known = await this.#memory.find(tokenHash);
    if (known !== undefined) return known;
    const reply = await this.#reads.run(() => this.#redis.ask('get', [this.#keys.token(tokenHash)]));
    if (!Buffer.isBuffer(reply)) return undefined;
    const [workId = '', identityHash = ''] = String(reply).split(' ');
    return { workId, identityHash };
  }

  async read(workId: string, after: string): Promise<LogPage | undefined> {
    if (this.#isOnlyHere(workId)) return this.#memory.read(workId, after);
    const page = await this.#reads.run(() => readRedisLog(this.#redis, this.#keys, workId, after));
    // A Redis that has come back empty is told anew by whoever knows more.
    const mayCome = this.#options.now() - this.#recoveredAt < toldAnewWithinMs;
    return page ?? (mayCome ? { updates: [], remaining: 1 } : undefined);
  }

  watch(workId: string, onChange: () => void): () => void {
    const stops = [this.#memory.watch(workId, onChange), this.#listeners.add(workId, onChange)];
    return () => {
      for (const stop of stops) stop();
    };
  }

  publish(workId: string, result: PlaceResult): void {
    this.#memory.publish(workId, result);
    void this.#shared.get(workId)?.writer.write();
  }

  noteFailure(workId: string, failure: WorkFailure): void {
    this.#memory.noteFailure(workId, failure);
    const writer = this.#shared.get(workId)?.writer;
    writer?.note(failure);
    void writer?.write();
  }

  async isWanted(workId: string): Promise<boolean> {
    if (await this.#memory.isWanted(workId)) return true;
    if (this.#isOnlyHere(workId)) return false;
    const asked = this.#redis.run(isWorkWanted, [this.#keys.work(workId)], [logOutlivesTokensMs]);
    return Number(await this.#within(farewellMs, asked)) === 1;
  }

  settle(workId: string, end: WorkEnd): void {
    const shared = this.#shared.get(workId);
    if (shared === undefined) this.#memory.settle(workId, end);
    else {
      const settled = this.#settleShared(shared, end).finally(() => this.#settling.delete(settled));
      this.#settling.add(settled);
    }
  }

  async list(query: JobQuery): Promise<readonly JobView[]> {
    const here = await this.#memory.list(query);
    const views = here.filter(({ id }) => !this.#shared.has(id));
    if (query.state !== 'failed') views.push(...(await this.#listWaiting(query.limit)));
    if (query.state !== 'waiting') {
      const now = this.#options.now();
      const failed = await this.#queue.list('failed', query.limit);
      views.push(...failed.map((work) => viewOf('failed', work, work.failure, now)));
    }
    return views.sort((one, other) => one.ageMs - other.ageMs);
  }

  async retry(id: string): Promise<RetryVerdict> {
    const verdict = await this.#memory.retry(id);
    if (verdict !== 'unknown') return verdict;
    const found = await this.#queue.get(id);
    if (found === undefined) return 'unknown';
    if (!found.isFailed) return 'not failed';
    const { work } = found;
    const all = work.job.places.map(({ key }) => key);
    const open = work.failure?.keys ?? all;
    const others = all.filter((key) => !open.includes(key));
    const args = [id, this.#keepFor, open.length, ...open, ...others];
    await this.#redis.run(reopenWork, this.#namesOf(id), args);
    return (await this.#queue.retry(work)) ? 'retried' : 'not failed';
  }

  async close(): Promise<void> {
    await this.#within(farewellMs, this.#allWritten());
    await this.#within(farewellMs, this.#life.end());
    this.#isClosed = true;
    this.#life.stop();
    this.#cancelLook();
    this.#subscriber.close();
    this.#redis.close();
    this.#queue.close();
    this.#shared.clear();
    await this.#memory.close();
    this.#listeners.tellAll();
  }

  async #allWritten(): Promise<void> {
    await Promise.all(Array.from(this.#shared.values(), ({ writer }) => writer.write()));
    await Promise.all(this.#settling);
  }

  get #keepFor(): number {
    return this.#options.policy.tokens.expireAfter + logOutlivesTokensMs;
  }

  /** Those under way, and as many whose end Redis has not taken yet. */
  get #mostShared(): number {
    return 2 * this.#options.policy.jobs.maxPending;
  }

  #namesOf(workId: string): readonly string[] {
    return [this.#keys.work(workId), this.#keys.log(workId), this.#keys.job(workId)];
  }

  /** Redis does not know of it (yet). */
  #isOnlyHere(workId: string): boolean {
    const shared = this.#shared.get(workId);
    if (shared !== undefined) return !shared.writer.isKnown;
    return this.#memory.logOf(workId) !== undefined;
  }

  #share(work: QueuedWork, isRetried: boolean, written: number | undefined): SharedWork {
    const writer = new WorkWriter({
      workId: work.id,
      processId: this.#processId,
      redis: this.#redis,
      keys: this.#keys,
      keepFor: this.#keepFor,
      isRetried,
      written,
      log: () => this.#memory.logOf(work.id),
      onLost: () => this.#tellAnew(work.id),
    });
    const shared = { ...work, writer, begun: Promise.resolve(), queued: Promise.resolve() };
    this.#shared.set(work.id, shared);
    return shared;
  }

  async #begin(shared: SharedWork, token: TokenRecord): Promise<string> {
    const { policy, observer } = this.#options;
    let isLate = false;
    const begun = this.#tell(shared, token).then(async (other) => {
      if (other === undefined) return shared.id;
      if (!isLate && (await this.#joinOther(shared, token, other))) return other;
      shared.writer.beginAnyway();
      await shared.writer.write();
      return shared.id;
    });
    shared.begun = begun;
    const workId = await this.#within(policy.jobs.handOverTimeout, begun);
    if (workId !== undefined) return workId;
    isLate = true;
    observer.onKeptHere({ reason: 'redis' });
    return shared.id;
  }

  /** All in one round trip. Resolves with the id of the work for an equal job. */
  async #tell(shared: SharedWork, token: TokenRecord): Promise<string | undefined> {
    const [other] = await Promise.all([
      shared.writer.begin(),
      this.#writeToken(token, shared.id),
      this.#inQueue(shared, () => this.#queue.add(queuedOf(shared))),
    ]);
    return other;
  }

  async #joinOther(shared: SharedWork, token: TokenRecord, other: string): Promise<boolean> {
    const args = [other, this.#keepFor];
    if (Number(await this.#redis.run(joinWork, this.#namesOf(other), args)) !== 1) return false;
    this.#memory.redirect(token, other);
    await this.#writeToken(token, other);
    void this.#inQueue(shared, () => this.#queue.remove(shared.id));
    this.#release(shared);
    return true;
  }

  async #writeToken({ tokenHash, identityHash }: TokenRecord, workId: string, expiresInMs?: number) {
    const expires = Math.ceil(expiresInMs ?? this.#options.policy.tokens.expireAfter);
    // What is left out because Redis does not answer is told when it does.
    if (expires <= 0 || this.#tokensUnderWay >= this.#mostShared) return;
    const value = `${workId} ${identityHash}`;
    this.#tokensUnderWay += 1;
    await this.#redis.ask('set', [this.#keys.token(tokenHash), value, 'PX', expires]);
    this.#tokensUnderWay -= 1;
  }

  /** Redis can be spoken to (again), and may have forgotten some or all, or been silent for a while. */
  #recover(): void {
    this.#recoveredAt = this.#options.now();
    void this.#life.beat();
    for (const token of this.#memory.tokens()) {
      const isForRedis = this.#shared.has(token.workId) || !this.#isOnlyHere(token.workId);
      if (isForRedis) void this.#writeToken(token, token.workId, token.expiresInMs);
    }
    for (const shared of this.#shared.values()) {
      if (!shared.writer.isKnown) continue;
      void shared.writer.writeAll();
      void this.#inQueue(shared, () => this.#queue.add(queuedOf(shared)));
    }
    this.#listeners.tellAll();
  }

  /** Redis has lost a work that it knew. */
  #tellAnew(workId: string): void {
    const shared = this.#shared.get(workId);
    if (shared === undefined) return;
    void this.#inQueue(shared, () => this.#queue.add(queuedOf(shared)));
    for (const token of this.#memory.tokens()) {
      if (token.workId === workId) void this.#writeToken(token, workId, token.expiresInMs);
    }
  }

  async #settleShared(shared: SharedWork, end: WorkEnd): Promise<void> {
    const { id, writer } = shared;
    writer.end(end);
    await shared.begun;
    await writer.write();
    if (writer.isTheirs && end.kind !== 'left') {
      // Nothing to be done for it here.
    } else if (end.kind === 'failed') {
      const { keys, attempts, error } = end;
      const failed = { ...queuedOf(shared), failure: { keys, attempts, error } };
      await this.#inQueue(shared, () => this.#queue.fail(failed));
    } else if (end.kind === 'left') {
      await this.#inQueue(shared, () => this.#queue.promote(id));
    } else {
      await this.#inQueue(shared, () => this.#queue.remove(id));
    }
    this.#release(shared);
  }

  #release({ id }: SharedWork): void {
    this.#shared.delete(id);
    this.#memory.release(id);
    this.#listeners.tell(id);
  }

  #inQueue(shared: SharedWork, act: () => Promise<void>): Promise<void> {
    shared.queued = shared.queued.then(act).catch((error: unknown) => {
      if (!this.#isClosed) this.#options.onFailure(error instanceof Error ? error : new Error(String(error)));
    });
    return shared.queued;
  }

  async #handle(work: QueuedWork): Promise<DueVerdict> {
    try {
      return await this.#decide(work);
    } catch (error) {
      this.#options.onFailure(error instanceof Error ? error : new Error(String(error)));
      return 'later';
    }
  }

  /** A work is due: whose is it? */
  async #decide(work: QueuedWork): Promise<DueVerdict> {
    if (work.failure !== undefined) return { failed: work.failure.error };
    if (this.#shared.has(work.id)) return 'later';
    const reply = await this.#redis.ask('hgetall', [this.#keys.work(work.id)]);
    if (this.#isClosed || this.#adopt === undefined) return 'later';
    const state = readFields(reply);
    const owner = state.get('owner');
    if (owner === undefined) {
      // That one still works on what nobody can pick up any more, and ends it.
      if (!(await this.#life.isDead(work.begunBy))) return 'later';
      this.#options.observer.onSettled({ priority: work.job.priority, outcome: 'unwanted' });
      return 'done';
    }
    if (state.get('state') !== 'open') return 'done';
    const isOthers = owner !== '' && owner !== this.#processId;
    if (isOthers && !(await this.#life.isDead(owner))) return 'later';
    const taken = await this.#redis.run(takeOver, [this.#keys.work(work.id)], [owner, this.#processId]);
    if (Number(taken) === 1) await this.#goOn(work, state);
    return 'later';
  }

  /** This process has taken a work over. */
  async #goOn(work: QueuedWork, state: ReadonlyMap<string, string>): Promise<void> {
    const page = await readRedisLog(this.#redis, this.#keys, work.id);
    if (page === undefined) return;
    const { id, job, begunAt } = work;
    const missing = job.places.map(({ key }) => key).filter((key) => !state.has(`place:${key}`));
    const isRetried = state.get('retried') === '1';
    this.#memory.restore({ id, job }, new UpdateLog(missing, page.updates), begunAt, isRetried);
    const last = page.updates.at(-1);
    const shared = this.#share(work, isRetried, last === undefined ? 0 : numberOf(last));
    const attempts = Number(state.get('attempts') ?? 0);
    const isAdopted = this.#adopt?.({
      id,
      job,
      missing,
      attempts,
      from: isRetried ? 'put aside' : 'dead process',
    });
    if (isAdopted === true) return;
    // No room: others may have some.
    shared.writer.end({ kind: 'left' });
    await shared.writer.write();
    this.#release(shared);
  }

  async #listWaiting(limit: number): Promise<readonly JobView[]> {
    const now = this.#options.now();
    const works = await this.#queue.list('waiting', limit);
    return Promise.all(
      works.map(async (work) => {
        const reply = await this.#redis.ask('hmget', [this.#keys.work(work.id), 'attempts', 'error']);
        const [attempts, error] = Array.isArray(reply) ? reply.map((value) => String(value ?? '')) : [];
        const failed = Number(attempts ?? 0);
        const failure = failed === 0 ? undefined : { attempts: failed, error: error ?? '' };
        return viewOf('waiting', work, failure, now);
      }),
    );
  }

  #lookAgain(): void {
    this.#cancelLook = this.#options.timers.after(lookAgainMs, () => {
      this.#listeners.tellAll();
      this.#lookAgain();
    });
  }

  /** `undefined` where it takes longer; then it goes on by itself. */
  #within<Value>(ms: number, work: Promise<Value>): Promise<Value | undefined> {
    return new Promise((resolve, reject) => {
      const cancelTimer = this.#options.timers.after(ms, () => resolve(undefined));
      work.then(resolve, reject).finally(cancelTimer);
    });
  }
}

function queuedOf({ id, job, begunAt, begunBy }: QueuedWork): QueuedWork {
  return { id, job, begunAt, begunBy };
}

function readFields(reply: unknown): ReadonlyMap<string, string> {
  if (typeof reply !== 'object' || reply === null) return new Map();
  // An object, or names and values by turns: by the version of the protocol.
  if (!Array.isArray(reply))
    return new Map(Object.entries(reply).map(([name, value]) => [name, String(value)]));
  const fields = new Map<string, string>();
  for (let index = 0; index + 1 < reply.length; index += 2) {
    fields.set(String(reply[index]), String(reply[index + 1]));
  }
  return fields;
}
