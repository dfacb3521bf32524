import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Job, Queue, Worker } from 'bullmq';
import { createQueueConnection, type QueueConnection } from '../../redis/queueConnection.ts';
import type { RedisConfig } from '../../redis/redisOptions.ts';
import type { JobRun, JobRunFailure } from './jobRun.ts';

/** Why no attempt follows. */
export interface FinalFailure extends JobRunFailure {
  readonly failedKeys: readonly string[];
}

/** What another process needs to resume a run. */
export interface QueuedJobRun extends JobRun {
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  /** Id of the process whose response created the run. */
  readonly createdBy: string;
  readonly failure?: FinalFailure;
}

/** What the queue does with a run that was due: remove it, make it due again later, or move it to the dead letters. */
export type DueRunOutcome = 'done' | 'postponed' | { readonly failure: FinalFailure };

interface JobQueueOptions {
  readonly config: RedisConfig;
  readonly prefix: string;
  /** A run that is not removed within this time is due. */
  readonly dueAfterMs: number;
  readonly concurrency: number;
  readonly maxDeadLetters: number;
  readonly deadLetterRetentionMs: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Called for each run that is due, in some process, perhaps more than once. */
  handle(run: QueuedJobRun): Promise<DueRunOutcome>;
  onError(error: Error): void;
}

/** Loads BullMQ when a queue is created: with what it needs, it is an eighth of all modules, for gateways with Redis only. */
const require = createRequire(import.meta.url);
function loadBullMq(): typeof import('bullmq') {
  const bullMq: typeof import('bullmq') = require('bullmq');
  // Otherwise BullMQ prints a plain line for each connection to a Redis that is older than it recommends.
  bullMq.RedisConnection.recommendedMinimumVersion = bullMq.RedisConnection.minimumVersion;
  return bullMq;
}

/** The delay before a worker that failed to fetch a run, or to look for stalled ones, tries again, in milliseconds. */
const retryDelayMs = 1_000;

const queueName = 'enrichments';
const jobName = 'enrichment';

/** BullMQ's own keys, such as `meta` or `<run id>:lock`, have the form of keys of runs, but their names do not match. */
const runIdPattern = /^[^.:]+\.[^.:]+$/;

/** Creates a class of workers that wait after each error, until `stopping`. After an error of fetching a run, BullMQ waits
 *  only if the connection failed: a Redis that is full, or refuses scripts, would get thousands of commands per second. Its
 *  wait after an error of looking for stalled runs, of 5 s, would keep the process of a closed worker alive. */
function createBackoffWorkerClass(stopping: AbortSignal) {
  const { Worker } = loadBullMq();
  async function backOff(error: unknown): Promise<never> {
    await sleep(retryDelayMs, undefined, { signal: stopping }).catch(ignoreAbort);
    throw error;
  }
  return class BackoffWorker extends Worker<QueuedJobRun> {
    protected override moveToActive(token: string, name?: string) {
      return super.moveToActive(token, name).catch(backOff);
    }

    protected override checkConnectionError<Result>(execute: () => Promise<Result>) {
      return super.checkConnectionError(() => execute().catch(backOff), 0);
    }
  };
}

/** The runs of all processes. A run that is not removed in time is due: a process then finds out whether the run's
 *  owner is dead. The runs themselves are not executed by BullMQ's worker. */
export class JobQueue {
  readonly #options: JobQueueOptions;
  readonly #connection: QueueConnection;
  readonly #queue: Queue<QueuedJobRun>;
  readonly #stopping = new AbortController();
  #worker: Worker<QueuedJobRun> | undefined;

  constructor(options: JobQueueOptions) {
    this.#options = options;
    this.#connection = createQueueConnection(options.config);
    const { Queue } = loadBullMq();
    this.#queue = new Queue<QueuedJobRun>(queueName, {
      connection: this.#connection.client,
      prefix: options.prefix,
      defaultJobOptions: {
        removeOnComplete: true,
        removeOnFail: {
          count: options.maxDeadLetters,
          age: Math.ceil(options.deadLetterRetentionMs / 1_000),
        },
      },
    });
    this.#queue.on('error', options.onError);
  }

  /** Starts handling runs that are due. */
  start(): void {
    const { prefix, dueAfterMs, concurrency, onError } = this.#options;
    const BackoffWorker = createBackoffWorkerClass(this.#stopping.signal);
    this.#worker = new BackoffWorker(queueName, (job, token) => this.#handle(job, token), {
      connection: this.#connection.client,
      prefix,
      concurrency,
      // A process may die while it handles a run, or lose its lock while Redis hangs.
      lockDuration: Math.max(1_000, 2 * dueAfterMs),
      stalledInterval: dueAfterMs,
      // The delay after a failed connection.
      runRetryDelay: retryDelayMs,
      maxStalledCount: 1_000,
      // For a run whose data, and with it the options, Redis has lost.
      removeOnComplete: { count: 0 },
    });
    this.#worker.on('error', onError);
  }

  /** Resolves when no run is being handled. */
  async stop(): Promise<void> {
    const paused = this.#worker?.pause();
    this.#stopping.abort();
    await paused;
  }

  /** Does nothing if the queue has the run. */
  async add(run: QueuedJobRun): Promise<void> {
    const delay = run.failure === undefined ? this.#options.dueAfterMs : 0;
    await this.#queue.add(jobName, run, { jobId: run.id, delay });
  }

  /** Has no effect while the run is being handled; `handle` then finds that it is done. */
  async remove(id: string): Promise<void> {
    await this.#queue.remove(id);
  }

  /** Makes the run due now. */
  async promote(id: string): Promise<void> {
    const job = await this.#queue.getJob(id);
    if (job !== undefined) await makeDue(job);
  }

  /** Moves the run to the dead letters, as soon as a process handles it. */
  async fail(run: QueuedJobRun): Promise<void> {
    const job = await this.#queue.getJob(run.id);
    if (job === undefined) {
      await this.add(run);
      return;
    }
    await job.updateData(run);
    await makeDue(job);
  }

  /** Removes expired dead letters. BullMQ does that only when another run fails. */
  async evictExpired(): Promise<void> {
    const expiredAt = this.#options.now() - this.#options.deadLetterRetentionMs;
    // `clean` writes to BullMQ's event stream, without a bound, even if there is nothing to clean.
    const count = await this.#connection.client.zcount(this.#queue.toKey('failed'), '-inf', expiredAt);
    if (count > 0) await this.#queue.clean(Date.now() - expiredAt, 0, 'failed');
  }

  async get(id: string): Promise<{ readonly run: QueuedJobRun; readonly isFailed: boolean } | undefined> {
    if (!runIdPattern.test(id)) return undefined;
    await this.evictExpired();
    const job = await this.#queue.getJob(id);
    // A job that Redis has evicted may have been written again by BullMQ, without its data.
    if (job?.data.id === undefined) return undefined;
    return { run: job.data, isFailed: await job.isFailed() };
  }

  /** Makes a dead letter due; false if the run is none. */
  async retry({ failure: _, ...run }: QueuedJobRun): Promise<boolean> {
    const job = await this.#queue.getJob(run.id);
    if (job === undefined) return false;
    try {
      await job.updateData(run);
      await job.retry('failed');
      return true;
    } catch (error) {
      // Another process has retried it, and perhaps ended it.
      if (hasLeftState(error)) return false;
      throw error;
    }
  }

  /** The newest runs first. For `waiting`, `limit` runs each of those that are delayed, due and under way. */
  async list(state: 'waiting' | 'failed', limit: number): Promise<readonly QueuedJobRun[]> {
    if (state === 'failed') await this.evictExpired();
    const states = state === 'failed' ? (['failed'] as const) : (['delayed', 'waiting', 'active'] as const);
    const jobs = await this.#queue.getJobs([...states], 0, limit - 1, false);
    // A run that was removed meanwhile has no data.
    return jobs.filter((job) => job?.data?.id !== undefined).map(({ data }) => data);
  }

  close(): void {
    this.#stopping.abort();
    // Forced at once: BullMQ cannot force a close that already waits for a connection.
    void this.#worker?.close(true).catch(() => {});
    this.#connection.close();
  }

  async #handle(job: Job<QueuedJobRun>, token: string | undefined): Promise<void> {
    const { handle, onError } = this.#options;
    if (job.data.id === undefined) {
      // Redis has evicted the run, but not its id in the queue. Postponed, it would be due again and again.
      onError(new Error(`Redis has lost enrichment job ${job.id}. Its maxmemory-policy must be noeviction.`));
      return;
    }
    const outcome = await handle(job.data);
    if (outcome === 'done') return;
    if (outcome !== 'postponed') {
      const { failure } = outcome;
      if (job.data.failure === undefined) await job.updateData({ ...job.data, failure });
      throw new (loadBullMq().UnrecoverableError)(failure.error);
    }
    await job.moveToDelayed(Date.now() + this.#options.dueAfterMs, token);
    throw new (loadBullMq().DelayedError)();
  }
}

/** Does nothing if the run is due already, or has ended. */
async function makeDue(job: Job): Promise<void> {
  try {
    await job.promote();
  } catch (error) {
    if (!hasLeftState(error)) throw error;
  }
}

/** Whether a run is not in the state that BullMQ was to move it from: otherwise Redis has failed. */
function hasLeftState(error: unknown): boolean {
  const { ErrorCode } = loadBullMq();
  const { code } = error as { readonly code?: unknown };
  return code === ErrorCode.JobNotInState || code === ErrorCode.JobNotExist;
}

function ignoreAbort(): void {}
