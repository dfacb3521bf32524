import { DelayedError, type Job, Queue, UnrecoverableError, Worker } from 'bullmq';
import { createQueueConnection, type QueueConnection } from '../../redis/queueConnection.ts';
import type { RedisConfig } from '../../redis/redisOptions.ts';
import type { EnrichmentJob } from '../enrichmentJob.ts';
import type { JobRunFailure } from './jobStore.ts';

/** What another process needs to go on with a work. */
export interface QueuedJobRun {
  readonly id: string;
  readonly job: EnrichmentJob;
  /** By the clock, in milliseconds. */
  readonly createdAt: number;
  /** The process that got it from an answer. */
  readonly createdBy: string;
  /** It has failed for good. */
  readonly failure?: JobRunFailure & { readonly failedKeys: readonly string[] };
}

/** What becomes of a work that is due: nothing more; it is due again after a while; it is put aside. */
export type DueRunOutcome = 'done' | 'later' | { readonly failed: string };

interface JobQueueOptions {
  readonly config: RedisConfig;
  readonly prefix: string;
  /** Milliseconds after which a work is due that was not removed. */
  readonly dueAfterMs: number;
  readonly concurrency: number;
  readonly keepFailed: number;
  /** Milliseconds. */
  readonly keepFailedFor: number;
  /** The clock, in milliseconds. */
  readonly now: () => number;
  handle(work: QueuedJobRun): Promise<DueRunOutcome>;
  onError(error: Error): void;
}

const queueName = 'enrichments';
const jobName = 'enrichment';

/** The works of all processes, each of which is due some time after it began, unless it was done by then. Handling a
 *  work takes no longer than finding out whose it is: that can be done twice. */
export class JobQueue {
  readonly #options: JobQueueOptions;
  readonly #connection: QueueConnection;
  readonly #queue: Queue<QueuedJobRun>;
  #worker: Worker<QueuedJobRun> | undefined;

  constructor(options: JobQueueOptions) {
    this.#options = options;
    this.#connection = createQueueConnection(options.config);
    this.#queue = new Queue(queueName, {
      connection: this.#connection.client,
      prefix: options.prefix,
      defaultJobOptions: {
        removeOnComplete: true,
        removeOnFail: { count: options.keepFailed, age: Math.ceil(options.keepFailedFor / 1_000) },
      },
    });
    this.#queue.on('error', options.onError);
  }

  /** Begins to handle what is due. */
  start(): void {
    const { prefix, dueAfterMs, concurrency, onError } = this.#options;
    this.#worker = new Worker(queueName, (job, token) => this.#handle(job, token), {
      connection: this.#connection.client,
      prefix,
      concurrency,
      // A process may die while it handles one, or lose its lock to a Redis that hangs.
      lockDuration: Math.max(1_000, 2 * dueAfterMs),
      stalledInterval: dueAfterMs,
      // After a failure of the connection.
      runRetryDelay: 1_000,
      maxStalledCount: 1_000,
    });
    this.#worker.on('error', onError);
  }

  /** Resolves when nothing is being handled any more. */
  async stop(): Promise<void> {
    await this.#worker?.pause();
  }

  /** Nothing where it is there already. */
  async add(work: QueuedJobRun): Promise<void> {
    const delay = work.failure === undefined ? this.#options.dueAfterMs : 0;
    await this.#queue.add(jobName, work, { jobId: work.id, delay });
  }

  /** It is done. One that is being handled is removed by that. */
  async remove(id: string): Promise<void> {
    await this.#queue.remove(id);
  }

  /** It is due now, for whoever comes first. */
  async promote(id: string): Promise<void> {
    await (await this.#queue.getJob(id))?.promote().catch(ignoreAlreadyDue);
  }

  /** Puts it aside as soon as somebody handles it. */
  async fail(work: QueuedJobRun): Promise<void> {
    const job = await this.#queue.getJob(work.id);
    if (job === undefined) {
      await this.add(work);
      return;
    }
    await job.updateData(work);
    await job.promote().catch(ignoreAlreadyDue);
  }

  /** Forgets what has been put aside for longer than it is to be: by itself, the library does that only when something
   *  else is put aside. */
  async evictExpired(): Promise<void> {
    const latest = this.#options.now() - this.#options.keepFailedFor;
    // Cleaning writes to the library's stream of events, which is not bounded then, even where there is nothing to clean.
    const count = await this.#connection.client.zcount(this.#queue.toKey('failed'), '-inf', latest);
    if (count > 0) await this.#queue.clean(Date.now() - latest, 0, 'failed');
  }

  async get(id: string): Promise<{ readonly run: QueuedJobRun; readonly isFailed: boolean } | undefined> {
    await this.evictExpired();
    const job = await this.#queue.getJob(id);
    return job === undefined ? undefined : { run: job.data, isFailed: await job.isFailed() };
  }

  /** Handles one anew that was put aside; false where it was not. */
  async retry({ failure: _, ...work }: QueuedJobRun): Promise<boolean> {
    const job = await this.#queue.getJob(work.id);
    if (job === undefined) return false;
    await job.updateData(work);
    return job.retry('failed').then(
      () => true,
      // Somebody else was faster.
      () => false,
    );
  }

  /** The newest first. */
  async list(state: 'waiting' | 'failed', limit: number): Promise<readonly QueuedJobRun[]> {
    if (state === 'failed') await this.evictExpired();
    const states = state === 'failed' ? (['failed'] as const) : (['delayed', 'waiting', 'active'] as const);
    const jobs = await this.#queue.getJobs([...states], 0, limit - 1, false);
    // One that was removed meanwhile is none.
    return jobs.filter((job) => job?.data?.id !== undefined).map(({ data }) => data);
  }

  close(): void {
    // By force, and not before: a close that waits for a connection cannot be hurried any more.
    void this.#worker?.close(true).catch(() => {});
    this.#connection.close();
  }

  async #handle(job: Job<QueuedJobRun>, token: string | undefined): Promise<void> {
    const verdict = await this.#options.handle(job.data);
    if (verdict === 'done') return;
    if (verdict !== 'later') throw new UnrecoverableError(verdict.failed);
    await job.moveToDelayed(Date.now() + this.#options.dueAfterMs, token);
    throw new DelayedError();
  }
}

// It is being handled, or waits for that.
function ignoreAlreadyDue(): void {}
