import { randomUUID } from 'node:crypto';
import { PatientRedis } from '../../redis/patientRedis.ts';
import type { RedisFailure } from '../../redis/redisFailure.ts';
import type { RedisConfig } from '../../redis/redisOptions.ts';
import { RedisSubscriber } from '../../redis/redisSubscriber.ts';
import type { CancelTimer } from '../../time/timers.ts';
import type { PlaceResult } from '../enrichmentJob.ts';
import { ChangeListeners } from './changeListeners.ts';
import { DueWorks } from './dueWorks.ts';
import type { JobQuery, JobView, RetryVerdict } from './jobAdmin.ts';
import { LateKeys } from './lateKeys.ts';
import { logOutlivesTokensMs } from './latePolicy.ts';
import { LateQueue } from './lateQueue.ts';
import { isWorkWanted } from './lateScripts.ts';
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
import { RedisJobs } from './redisJobs.ts';
import { readRedisLog } from './redisLog.ts';
import { RedisTokens } from './redisTokens.ts';
import { SharedHandOver } from './sharedHandOver.ts';
import { SharedWorks } from './sharedWorks.ts';
import type { LogPage } from './updateLog.ts';
import { within } from './within.ts';

export interface RedisLateStoreOptions extends MemoryLateStoreOptions {
  readonly config: RedisConfig;
  /** It is tried again. */
  onFailure(failure: RedisFailure | Error): void;
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
  readonly #tokens: RedisTokens;
  readonly #shared: SharedWorks;
  readonly #handOver: SharedHandOver;
  readonly #due: DueWorks;
  readonly #jobs: RedisJobs;
  readonly #listeners = new ChangeListeners();
  readonly #reads: PendingReads;
  #recoveredAt = Number.NEGATIVE_INFINITY;
  #cancelLook: CancelTimer = () => {};
  #isEvicting = false;

  constructor(options: RedisLateStoreOptions) {
    this.#options = options;
    const { config, policy, timers, now, observer, onFailure } = options;
    const {
      takeOverAfter,
      concurrency,
      keepFailed,
      keepFailedFor,
      maxPending,
      maxPendingSize,
      maxUpdatesSize,
      handOverTimeout,
    } = policy.jobs;
    const { expireAfter } = policy.tokens;
    const keepFor = expireAfter + logOutlivesTokensMs;
    // Those under way, and as many whose end Redis has not taken yet.
    const [mostShared, mostBytes] = [2 * maxPending, 2 * maxPendingSize];
    this.#reads = new PendingReads(maxPending);
    this.#keys = new LateKeys(config.keyPrefix);
    this.#memory = new MemoryLateStore(options);
    this.#redis = new PatientRedis({ config, onFailure, timers });
    this.#queue = new LateQueue({
      config,
      prefix: this.#keys.queue,
      dueAfter: takeOverAfter,
      concurrency,
      keepFailed,
      keepFailedFor,
      now,
      handle: (work) => this.#due.handle(work),
      onError: onFailure,
    });
    const parts = {
      processId: this.#processId,
      redis: this.#redis,
      keys: this.#keys,
      queue: this.#queue,
      memory: this.#memory,
      listeners: this.#listeners,
      timers,
      observer,
      keepFor,
      now,
      onFailure,
    };
    this.#life = new ProcessLife({ ...parts, deadAfter: takeOverAfter });
    this.#tokens = new RedisTokens({ ...parts, expireAfter, mostUnderWay: mostShared });
    this.#shared = new SharedWorks({
      ...parts,
      tokens: this.#tokens,
      most: mostShared,
      mostBytes,
      mostUpdateBytes: maxUpdatesSize,
    });
    this.#handOver = new SharedHandOver({
      ...parts,
      tokens: this.#tokens,
      shared: this.#shared,
      timeout: handOverTimeout,
    });
    this.#due = new DueWorks({ ...parts, life: this.#life, shared: this.#shared });
    this.#jobs = new RedisJobs(parts);
    this.#subscriber = new RedisSubscriber({
      config,
      channel: this.#keys.changes,
      onMessage: (workId) => this.#listeners.tell(workId),
      onSubscribed: () => this.#recover(),
      onFailure,
      timers,
    });
    this.#lookAgain();
  }

  start(adopt: (work: OpenWork) => boolean): void {
    this.#due.start(adopt);
    this.#memory.start(adopt);
    void this.#life.beat();
    this.#queue.start();
  }

  async stop(): Promise<void> {
    this.#due.stop();
    await this.#memory.stop();
    await this.#soon(this.#queue.stop()).catch(this.#options.onFailure);
  }

  open(work: NewWork, token: TokenRecord): Promise<string> {
    const { observer, now } = this.#options;
    const { id, job } = work;
    // At once: results may come before anything else is done here.
    void this.#memory.open(work, token);
    // Nobody could go on with it.
    if (job.snapshot === undefined) return Promise.resolve(id);
    if (!this.#shared.hasRoomFor(job)) {
      observer.onKeptHere({ reason: 'redis' });
      return Promise.resolve(id);
    }
    const shared = this.#shared.add({ id, job, begunAt: now(), begunBy: this.#processId }, false, undefined);
    return this.#handOver.begin(shared, token);
  }

  async join(workId: string, token: TokenRecord): Promise<boolean> {
    if (!(await this.#memory.join(workId, token))) return false;
    const shared = this.#shared.get(workId);
    if (shared !== undefined) await this.#handOver.join(shared, token);
    return true;
  }

  async find(tokenHash: string): Promise<FoundToken | undefined> {
    const known = await this.#memory.find(tokenHash);
    return known ?? this.#reads.run(() => this.#tokens.find(tokenHash));
  }

  async read(workId: string, after: string): Promise<LogPage | undefined> {
    if (this.#shared.isOnlyHere(workId)) return this.#memory.read(workId, after);
    const page = await this.#reads.run(() => readRedisLog(this.#redis, this.#keys, workId, after));
    return page ?? (this.#mayBeToldAnew ? { updates: [], remaining: 1 } : undefined);
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
    if (!this.#shared.mayBeKnown(workId)) return false;
    const asked = this.#redis.run(isWorkWanted, [this.#keys.work(workId)], [logOutlivesTokensMs]);
    const answer = await this.#soon(asked);
    // A Redis that does not answer says nothing of the tokens that lead here from other processes, nor does one that has
    // forgotten the work before its time.
    return answer === undefined || (answer === null ? this.#mayBeToldAnew : Number(answer) === 1);
  }

  settle(workId: string, end: WorkEnd): void {
    const shared = this.#shared.get(workId);
    if (shared === undefined) this.#memory.settle(workId, end);
    else this.#shared.settle(shared, end);
  }

  async list(query: JobQuery): Promise<readonly JobView[]> {
    const here = await this.#memory.list(query);
    const views = here.filter(({ id }) => !this.#shared.has(id));
    views.push(...(await this.#jobs.list(query)));
    return views.sort((one, other) => one.ageMs - other.ageMs);
  }

  async retry(id: string): Promise<RetryVerdict> {
    const verdict = await this.#memory.retry(id);
    return verdict === 'unknown' ? this.#jobs.retry(id) : verdict;
  }

  async close(): Promise<void> {
    await this.#soon(this.#shared.allWritten());
    await this.#soon(this.#life.end());
    this.#life.stop();
    this.#cancelLook();
    this.#subscriber.close();
    this.#redis.close();
    this.#shared.close();
    this.#queue.close();
    await this.#memory.close();
    this.#listeners.tellAll();
  }

  /** A Redis that has come back empty is told anew by whoever knows more. */
  get #mayBeToldAnew(): boolean {
    return this.#options.now() - this.#recoveredAt < toldAnewWithinMs;
  }

  /** Redis can be spoken to (again), and may have forgotten some or all, or been silent for a while. */
  #recover(): void {
    this.#recoveredAt = this.#options.now();
    void this.#life.beat();
    this.#shared.recover();
    this.#listeners.tellAll();
  }

  #lookAgain(): void {
    this.#cancelLook = this.#options.timers.after(lookAgainMs, () => {
      this.#listeners.tellAll();
      void this.#evict();
      this.#lookAgain();
    });
  }

  /** What is put aside has the clients' headers: it leaves in time also when nobody asks, and nothing else fails. */
  async #evict(): Promise<void> {
    // While Redis is gone, one waits for it.
    if (this.#isEvicting) return;
    this.#isEvicting = true;
    await this.#queue.evict().catch((error: Error) => {
      if (!this.#redis.isClosed) this.#options.onFailure(error);
    });
    this.#isEvicting = false;
  }

  /** `undefined` where Redis takes too long; then it goes on by itself. */
  #soon<Value>(work: Promise<Value>): Promise<Value | undefined> {
    return within(farewellMs, work, this.#options.timers);
  }
}
