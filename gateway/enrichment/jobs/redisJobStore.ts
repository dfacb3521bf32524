import { randomUUID } from 'node:crypto';
import type { RedisFailure } from '../../redis/redisFailure.ts';
import type { RedisConfig } from '../../redis/redisOptions.ts';
import { RedisSubscriber } from '../../redis/redisSubscriber.ts';
import { RetryingRedisClient } from '../../redis/retryingRedisClient.ts';
import type { CancelTimer } from '../../time/timers.ts';
import type { FieldResult } from '../enrichmentJob.ts';
import type { JobQuery, JobView, RetryResult } from './jobAdmin.ts';
import { JobEnqueuer } from './jobEnqueuer.ts';
import { JobKeys } from './jobKeys.ts';
import { logGracePeriodMs } from './jobPolicy.ts';
import { JobQueue } from './jobQueue.ts';
import { isRunWanted } from './jobScripts.ts';
import type {
  FoundToken,
  JobRun,
  JobRunEnd,
  JobRunFailure,
  JobStore,
  ResumableJobRun,
  TokenRecord,
} from './jobStore.ts';
import { MemoryJobStore, type MemoryJobStoreOptions } from './memoryJobStore.ts';
import { OrphanedJobs } from './orphanedJobs.ts';
import { ProcessHeartbeat } from './processHeartbeat.ts';
import { ReadLimiter } from './readLimiter.ts';
import { readRedisLog } from './readRedisLog.ts';
import { RedisJobAdmin } from './redisJobAdmin.ts';
import { RedisTokens } from './redisTokens.ts';
import { ReplicatedRuns } from './replicatedRuns.ts';
import type { LogPage } from './updateLog.ts';
import { UpdateNotifier } from './updateNotifier.ts';
import { withTimeout } from './withTimeout.ts';

interface RedisJobStoreOptions extends MemoryJobStoreOptions {
  readonly config: RedisConfig;
  /** It is tried again. */
  onFailure(failure: RedisFailure | Error): void;
}

// What is published is heard at once, unless it is lost.
const resyncIntervalMs = 5_000;
const recoveryWindowMs = 2 * resyncIntervalMs;
const redisTimeoutMs = 2_000;

/** Late work that outlives its process. What this process does is in its memory as well until Redis has it, so that a
 *  Redis that is slow, gone or empty holds up nothing and loses nothing of it. */
export class RedisJobStore implements JobStore {
  readonly #options: RedisJobStoreOptions;
  readonly #processId = randomUUID();
  readonly #keys: JobKeys;
  readonly #memory: MemoryJobStore;
  readonly #redis: RetryingRedisClient;
  readonly #subscriber: RedisSubscriber;
  readonly #queue: JobQueue;
  readonly #heartbeat: ProcessHeartbeat;
  readonly #tokens: RedisTokens;
  readonly #replicated: ReplicatedRuns;
  readonly #enqueuer: JobEnqueuer;
  readonly #orphaned: OrphanedJobs;
  readonly #admin: RedisJobAdmin;
  readonly #notifier = new UpdateNotifier();
  readonly #readLimiter: ReadLimiter;
  #recoveredAt = Number.NEGATIVE_INFINITY;
  #cancelResync: CancelTimer = () => {};
  #isEvicting = false;

  constructor(options: RedisJobStoreOptions) {
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
    const keepFor = expireAfter + logGracePeriodMs;
    // Those under way, and as many whose end Redis has not taken yet.
    const [mostShared, mostBytes] = [2 * maxPending, 2 * maxPendingSize];
    this.#readLimiter = new ReadLimiter(maxPending);
    this.#keys = new JobKeys(config.keyPrefix);
    this.#memory = new MemoryJobStore(options);
    this.#redis = new RetryingRedisClient({ config, onFailure, timers });
    this.#queue = new JobQueue({
      config,
      prefix: this.#keys.queuePrefix,
      dueAfterMs: takeOverAfter,
      concurrency,
      keepFailed,
      keepFailedFor,
      now,
      handle: (work) => this.#orphaned.handle(work),
      onError: onFailure,
    });
    const dependencies = {
      processId: this.#processId,
      redis: this.#redis,
      keys: this.#keys,
      queue: this.#queue,
      memory: this.#memory,
      notifier: this.#notifier,
      timers,
      observer,
      retentionMs: keepFor,
      now,
      onFailure,
    };
    this.#heartbeat = new ProcessHeartbeat({ ...dependencies, expireAfterMs: takeOverAfter });
    this.#tokens = new RedisTokens({ ...dependencies, expireAfterMs: expireAfter, maxInFlight: mostShared });
    this.#replicated = new ReplicatedRuns({
      ...dependencies,
      tokens: this.#tokens,
      maxRuns: mostShared,
      maxBytes: mostBytes,
      maxUpdateBytes: maxUpdatesSize,
    });
    this.#enqueuer = new JobEnqueuer({
      ...dependencies,
      tokens: this.#tokens,
      replicated: this.#replicated,
      timeoutMs: handOverTimeout,
    });
    this.#orphaned = new OrphanedJobs({
      ...dependencies,
      heartbeat: this.#heartbeat,
      replicated: this.#replicated,
    });
    this.#admin = new RedisJobAdmin(dependencies);
    this.#subscriber = new RedisSubscriber({
      config,
      channel: this.#keys.changesChannel,
      onMessage: (workId) => this.#notifier.notify(workId),
      onSubscribed: () => this.#recover(),
      onFailure,
      timers,
    });
    this.#scheduleResync();
  }

  start(adopt: (work: ResumableJobRun) => boolean): void {
    this.#orphaned.start(adopt);
    this.#memory.start(adopt);
    void this.#heartbeat.beat();
    this.#queue.start();
  }

  async stop(): Promise<void> {
    this.#orphaned.stop();
    await this.#memory.stop();
    await this.#withRedisTimeout(this.#queue.stop()).catch(this.#options.onFailure);
  }

  open(work: JobRun, token: TokenRecord): Promise<string> {
    const { observer, now } = this.#options;
    const { id, job } = work;
    // At once: results may come before anything else is done here.
    void this.#memory.open(work, token);
    // Nobody could go on with it.
    if (job.snapshot === undefined) return Promise.resolve(id);
    if (!this.#replicated.hasRoomFor(job)) {
      observer.onNotPersisted({ reason: 'redis' });
      return Promise.resolve(id);
    }
    const shared = this.#replicated.add(
      { id, job, createdAt: now(), createdBy: this.#processId },
      false,
      undefined,
    );
    return this.#enqueuer.enqueue(shared, token);
  }

  async join(workId: string, token: TokenRecord): Promise<boolean> {
    if (!(await this.#memory.join(workId, token))) return false;
    const shared = this.#replicated.get(workId);
    if (shared !== undefined) await this.#enqueuer.join(shared, token);
    return true;
  }

  async find(tokenHash: string): Promise<FoundToken | undefined> {
    const known = await this.#memory.find(tokenHash);
    return known ?? this.#readLimiter.run(() => this.#tokens.find(tokenHash));
  }

  async read(workId: string, after: string): Promise<LogPage | undefined> {
    if (this.#replicated.isLocalOnly(workId)) return this.#memory.read(workId, after);
    const page = await this.#readLimiter.run(() => readRedisLog(this.#redis, this.#keys, workId, after));
    return page ?? (this.#isRecovering ? { updates: [], remaining: 1 } : undefined);
  }

  watch(workId: string, onChange: () => void): () => void {
    const stops = [this.#memory.watch(workId, onChange), this.#notifier.subscribe(workId, onChange)];
    return () => {
      for (const stop of stops) stop();
    };
  }

  publish(workId: string, result: FieldResult): void {
    this.#memory.publish(workId, result);
    void this.#replicated.get(workId)?.writer.write();
  }

  recordFailure(workId: string, failure: JobRunFailure): void {
    this.#memory.recordFailure(workId, failure);
    const writer = this.#replicated.get(workId)?.writer;
    writer?.recordFailure(failure);
    void writer?.write();
  }

  async isWanted(workId: string): Promise<boolean> {
    if (await this.#memory.isWanted(workId)) return true;
    if (!this.#replicated.mayBeInRedis(workId)) return false;
    const asked = this.#redis.runScript(isRunWanted, [this.#keys.run(workId)], [logGracePeriodMs]);
    const answer = await this.#withRedisTimeout(asked);
    // A Redis that does not answer says nothing of the tokens that lead here from other processes, nor does one that has
    // forgotten the work before its time.
    return answer === undefined || (answer === null ? this.#isRecovering : Number(answer) === 1);
  }

  settle(workId: string, end: JobRunEnd): void {
    const shared = this.#replicated.get(workId);
    if (shared === undefined) this.#memory.settle(workId, end);
    else this.#replicated.settle(shared, end);
  }

  async list(query: JobQuery): Promise<readonly JobView[]> {
    const here = await this.#memory.list(query);
    const views = here.filter(({ id }) => !this.#replicated.has(id));
    views.push(...(await this.#admin.list(query)));
    return views.sort((one, other) => one.ageMs - other.ageMs);
  }

  async retry(id: string): Promise<RetryResult> {
    const verdict = await this.#memory.retry(id);
    return verdict === 'unknown' ? this.#admin.retry(id) : verdict;
  }

  async close(): Promise<void> {
    await this.#withRedisTimeout(this.#replicated.flush());
    await this.#withRedisTimeout(this.#heartbeat.release());
    this.#heartbeat.stop();
    this.#cancelResync();
    this.#subscriber.close();
    this.#redis.close();
    this.#replicated.close();
    this.#queue.close();
    await this.#memory.close();
    this.#notifier.notifyAll();
  }

  /** A Redis that has come back empty is told anew by whoever knows more. */
  get #isRecovering(): boolean {
    return this.#options.now() - this.#recoveredAt < recoveryWindowMs;
  }

  /** Redis can be spoken to (again), and may have forgotten some or all, or been silent for a while. */
  #recover(): void {
    this.#recoveredAt = this.#options.now();
    void this.#heartbeat.beat();
    this.#replicated.recover();
    this.#notifier.notifyAll();
  }

  #scheduleResync(): void {
    this.#cancelResync = this.#options.timers.after(resyncIntervalMs, () => {
      this.#notifier.notifyAll();
      void this.#evict();
      this.#scheduleResync();
    });
  }

  /** What is put aside has the clients' headers: it leaves in time also when nobody asks, and nothing else fails. */
  async #evict(): Promise<void> {
    // While Redis is gone, one waits for it.
    if (this.#isEvicting) return;
    this.#isEvicting = true;
    await this.#queue.evictExpired().catch((error: Error) => {
      if (!this.#redis.isClosed) this.#options.onFailure(error);
    });
    this.#isEvicting = false;
  }

  /** `undefined` where Redis takes too long; then it goes on by itself. */
  #withRedisTimeout<Value>(work: Promise<Value>): Promise<Value | undefined> {
    return withTimeout(redisTimeoutMs, work, this.#options.timers);
  }
}
