import { randomUUID } from 'node:crypto';
import type { RedisFailure } from '../../redis/redisFailure.ts';
import type { RedisConfig } from '../../redis/redisOptions.ts';
import { RedisSubscriber } from '../../redis/redisSubscriber.ts';
import { RetryingRedisClient } from '../../redis/retryingRedisClient.ts';
import type { CancelTimer } from '../../time/timers.ts';
import { withTimeout } from '../../time/withTimeout.ts';
import type { FieldResult } from '../enrichmentJob.ts';
import { type JobQuery, type JobView, newestOfEachState, type RetryResult } from './jobAdmin.ts';
import { JobEnqueuer } from './jobEnqueuer.ts';
import { JobKeys } from './jobKeys.ts';
import { logGracePeriodMs } from './jobPolicy.ts';
import { JobQueue } from './jobQueue.ts';
import type { JobRun, JobRunEnd, JobRunFailure } from './jobRun.ts';
import { isRunWanted, readRedisLog } from './jobScripts.ts';
import type { FoundToken, JobStore, ResumeRun, TokenRecord } from './jobStore.ts';
import { MemoryJobStore, type MemoryJobStoreOptions } from './memoryJobStore.ts';
import { OrphanedJobs } from './orphanedJobs.ts';
import { ProcessHeartbeat } from './processHeartbeat.ts';
import { jobStoreUnavailableError, ReadLimiter } from './readLimiter.ts';
import { RedisJobAdmin } from './redisJobAdmin.ts';
import type { RedisJobContext } from './redisJobContext.ts';
import { RedisTokens } from './redisTokens.ts';
import { ReplicatedRuns } from './replicatedRuns.ts';
import type { LogPage } from './updateLog.ts';
import { UpdateNotifier } from './updateNotifier.ts';

interface RedisJobStoreOptions extends Omit<MemoryJobStoreOptions, 'isReplicated'> {
  readonly config: RedisConfig;
  /** Receives failures of operations that are retried. */
  onFailure(failure: RedisFailure | Error): void;
}

/** Subscribers read again at this interval, in case a published change was lost. */
const resyncIntervalMs = 5_000;
/** How long after Redis answers again other processes may still write what it has lost. */
const recoveryWindowMs = 2 * resyncIntervalMs;
const redisTimeoutMs = 2_000;

// Bounds of what waits while Redis does not answer. They do not follow from the number of jobs: any number of equal
// responses share a job, and any number of clients read its updates.
const maxReads = 10_000;
const maxTokenWrites = 20_000;

/** A job store that all processes share: runs outlive their process. The runs of this process are also in its memory
 *  until Redis has them, so that a slow, unreachable or empty Redis delays nothing and loses none of their updates. */
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
  /** On the clock of the timers. */
  #recoveredAt = Number.NEGATIVE_INFINITY;
  #cancelResync: CancelTimer = () => {};
  #isEvicting = false;

  constructor(options: RedisJobStoreOptions) {
    this.#options = options;
    const { config, policy, timers, now, observer, onFailure } = options;
    const { expireAfter } = policy.tokens;
    const { reclaimAfter, concurrency, maxPending, maxPendingSize, maxUpdatesSize } = policy.jobs;
    // Twice the limits of the job pool: as many runs may have ended without Redis knowing it yet.
    const [maxRuns, maxBytes] = [2 * maxPending, 2 * maxPendingSize];
    this.#readLimiter = new ReadLimiter(maxReads);
    this.#keys = new JobKeys(config.keyPrefix);
    this.#memory = new MemoryJobStore({ ...options, isReplicated: (id) => this.#replicated.has(id) });
    const onReconnected = (): void => this.#beginRecovery();
    // The master, or its replica, may answer without what was written last. The writes wait until then.
    const onNodeLost = (): void => {
      this.#beginRecovery();
      this.#writeAgain();
    };
    this.#redis = new RetryingRedisClient({ config, onReconnected, onNodeLost, onFailure, timers });
    this.#queue = new JobQueue({
      config,
      prefix: this.#keys.queuePrefix,
      dueAfterMs: reclaimAfter,
      concurrency,
      maxDeadLetters: policy.jobs.maxDeadLetters,
      deadLetterRetentionMs: policy.jobs.deadLetterRetention,
      now,
      handle: (run) => this.#orphaned.handle(run),
      onError: onFailure,
    });
    const context: RedisJobContext = {
      processId: this.#processId,
      redis: this.#redis,
      keys: this.#keys,
      queue: this.#queue,
      memory: this.#memory,
      notifier: this.#notifier,
      timers,
      observer,
      retentionMs: expireAfter + logGracePeriodMs,
      now,
      onFailure,
    };
    this.#heartbeat = new ProcessHeartbeat({
      ...context,
      expireAfterMs: reclaimAfter,
      onLost: () => {
        this.#beginRecovery();
        this.#writeAgain();
      },
    });
    this.#tokens = new RedisTokens({ ...context, expireAfterMs: expireAfter, maxInFlight: maxTokenWrites });
    this.#replicated = new ReplicatedRuns({
      ...context,
      tokens: this.#tokens,
      maxRuns,
      maxBytes,
      maxUpdateBytes: maxUpdatesSize,
    });
    this.#enqueuer = new JobEnqueuer({
      ...context,
      tokens: this.#tokens,
      replicated: this.#replicated,
      timeoutMs: policy.jobs.enqueueTimeout,
    });
    this.#orphaned = new OrphanedJobs({
      ...context,
      heartbeat: this.#heartbeat,
      replicated: this.#replicated,
    });
    this.#admin = new RedisJobAdmin(context);
    this.#subscriber = new RedisSubscriber({
      config,
      channel: this.#keys.changesChannel,
      onMessage: (message) => this.#onChange(message),
      onSubscribed: () => this.#writeAgain(),
      onFailure,
      timers,
    });
    this.#scheduleResync();
  }

  start(resume: ResumeRun): void {
    this.#orphaned.start(resume);
    this.#memory.start(resume);
    void this.#heartbeat.beat();
    this.#queue.start();
  }

  async stop(): Promise<void> {
    this.#orphaned.stop();
    await this.#memory.stop();
    // Fails without a server for the queue's keys, and lets a connection time out that hangs.
    void this.#redis.sendCommand('exists', [this.#keys.queueProbe]);
    await this.#whileReachable(this.#queue.stop(), redisTimeoutMs).catch(this.#options.onFailure);
  }

  async close(): Promise<void> {
    const { timers } = this.#options;
    const deadline = timers.now() + redisTimeoutMs;
    // Also without a connection: Redis may come back in time for what is not stored yet.
    await this.#withRedisTimeout(this.#replicated.flush());
    await this.#whileReachable(this.#heartbeat.release(), Math.max(0, deadline - timers.now()));
    this.#cancelResync();
    this.#subscriber.close();
    this.#redis.close();
    this.#replicated.close();
    this.#queue.close();
    await this.#memory.close();
    this.#notifier.notifyAll();
  }

  open(run: JobRun, token: TokenRecord): Promise<string> {
    const { observer, now } = this.#options;
    const { id, job } = run;
    // Not awaited: results may arrive at once.
    void this.#memory.open(run, token);
    // Without a snapshot, no other process could resume the run.
    if (job.snapshot === undefined) return Promise.resolve(id);
    if (!this.#replicated.hasRoomFor(job)) {
      observer.onNotPersisted({ reason: 'redis' });
      return Promise.resolve(id);
    }
    const queuedRun = { id, job, createdAt: now(), createdBy: this.#processId };
    return this.#enqueuer.enqueue(this.#replicated.add(queuedRun, false, undefined), token);
  }

  async join(runId: string, token: TokenRecord): Promise<boolean> {
    if (!(await this.#memory.join(runId, token))) return false;
    const replicated = this.#replicated.get(runId);
    if (replicated !== undefined) await this.#enqueuer.join(replicated, token);
    return true;
  }

  publish(runId: string, result: FieldResult): void {
    this.#memory.publish(runId, result);
    void this.#replicated.get(runId)?.writer.write();
  }

  recordFailure(runId: string, failure: JobRunFailure): void {
    this.#memory.recordFailure(runId, failure);
    const writer = this.#replicated.get(runId)?.writer;
    writer?.recordFailure(failure);
    void writer?.write();
  }

  async isWanted(runId: string): Promise<boolean> {
    if (await this.#memory.isWanted(runId)) return true;
    if (!this.#replicated.mayBeInRedis(runId)) return false;
    const reply = await this.#withRedisTimeout(
      this.#redis.runScript(isRunWanted, [this.#keys.run(runId)], [logGracePeriodMs]),
    );
    // Tokens of other processes may be valid while Redis does not answer, or has lost the run before its time.
    return reply === undefined || (reply === null ? this.#isRecovering : Number(reply) === 1);
  }

  settle(runId: string, end: JobRunEnd): void {
    const replicated = this.#replicated.get(runId);
    if (replicated === undefined) this.#memory.settle(runId, end);
    else this.#replicated.settle(replicated, end);
  }

  async findToken(tokenHash: string): Promise<FoundToken | undefined> {
    const known = await this.#memory.findToken(tokenHash);
    return known ?? this.#readLimiter.run(() => this.#findSharedToken(tokenHash));
  }

  async read(runId: string, after: string, isSubscribed = false): Promise<LogPage | undefined> {
    const ownPage = this.#replicated.read(runId, after);
    if (ownPage !== undefined) return ownPage;
    const read = () => this.#readRedisLog(runId, after);
    const page = await (isSubscribed ? read() : this.#readLimiter.run(read));
    return page ?? ((await this.#mayBeWrittenAgain()) ? { updates: [], remaining: 1 } : undefined);
  }

  watch(runId: string, onChange: () => void): () => void {
    const unsubscribers = [this.#memory.watch(runId, onChange), this.#notifier.subscribe(runId, onChange)];
    return () => {
      for (const unsubscribe of unsubscribers) unsubscribe();
    };
  }

  async list(query: JobQuery): Promise<readonly JobView[]> {
    const local = await this.#memory.list(query);
    const localOnly = local.filter(({ id }) => !this.#replicated.has(id));
    return newestOfEachState([...localOnly, ...(await this.#admin.list(query))], query);
  }

  async retry(id: string): Promise<RetryResult> {
    const result = await this.#memory.retry(id);
    return result === 'unknown' ? this.#admin.retry(id) : result;
  }

  async #findSharedToken(tokenHash: string): Promise<FoundToken | undefined> {
    for (let attempt = 1; ; attempt++) {
      const found = await this.#tokens.find(tokenHash);
      if (found !== undefined || this.#redis.isClosed) return found;
      if (!(await this.#mayBeWrittenAgain())) return undefined;
      await this.#redis.backOff(attempt);
    }
  }

  /** Whether Redis may have lost what it does not have, also without a new connection (FLUSHALL). */
  async #mayBeWrittenAgain(): Promise<boolean> {
    await this.#withRedisTimeout(this.#heartbeat.beat());
    return this.#isRecovering;
  }

  /** Processes that know more than a Redis that has come back empty are writing to it. */
  get #isRecovering(): boolean {
    return this.#options.timers.now() - this.#recoveredAt < recoveryWindowMs;
  }

  /** @throws {GatewayError} `OVERLOADED` if Redis does not answer for as long as it stores a run. */
  async #readRedisLog(runId: string, after: string): Promise<LogPage | undefined> {
    const { timers, policy } = this.#options;
    const timeout = new AbortController();
    const cancelTimer = timers.after(policy.tokens.expireAfter + logGracePeriodMs, () => timeout.abort());
    const page = await readRedisLog(this.#redis, this.#keys, runId, after, timeout.signal);
    cancelTimer();
    if (timeout.signal.aborted) throw jobStoreUnavailableError();
    // A client would take a part of the updates for all.
    return page?.isComplete === true ? page : undefined;
  }

  #onChange(message: string): void {
    const [runId = '', writerId] = message.split(' ');
    if (writerId === this.#processId) return;
    this.#replicated.get(runId)?.writer.recordForeignUpdate();
    this.#notifier.notify(runId);
  }

  /** Redis has lost data, or answers again and may have lost data. */
  #beginRecovery(): void {
    this.#recoveredAt = this.#options.timers.now();
  }

  /** Redis may have lost data, or published nothing for a while. */
  #writeAgain(): void {
    void this.#heartbeat.beat();
    this.#replicated.recover();
    this.#notifier.notifyAll();
  }

  #scheduleResync(): void {
    this.#cancelResync = this.#options.timers.after(resyncIntervalMs, () => {
      void this.#heartbeat.beat();
      this.#notifier.notifyAll();
      void this.#evictDeadLetters();
      this.#scheduleResync();
    });
  }

  /** Dead letters contain headers of clients: they must expire even if nothing lists them. */
  async #evictDeadLetters(): Promise<void> {
    // While Redis does not answer, one call waits for it.
    if (this.#isEvicting) return;
    this.#isEvicting = true;
    await this.#queue.evictExpired().catch((error: Error) => {
      if (!this.#redis.isClosed) this.#options.onFailure(error);
    });
    this.#isEvicting = false;
  }

  /** Resolves after the timeout, or when Redis is not reachable. Does not cancel `pending`. */
  async #whileReachable(pending: Promise<void>, timeoutMs: number): Promise<void> {
    const { timers } = this.#options;
    await withTimeout(timeoutMs, Promise.race([pending, this.#redis.whenUnreachable()]), timers);
  }

  /** Resolves with `undefined` after a timeout. Does not cancel `pending`. */
  #withRedisTimeout<Value>(pending: Promise<Value>): Promise<Value | undefined> {
    return withTimeout(redisTimeoutMs, pending, this.#options.timers);
  }
}
