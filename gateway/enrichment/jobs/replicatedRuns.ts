import { PendingPromises } from '../../time/pendingPromises.ts';
import type { EnrichmentJob } from '../enrichmentJob.ts';
import type { JobQueue, QueuedJobRun } from './jobQueue.ts';
import type { JobRunEnd } from './jobRun.ts';
import { JobRunWriter } from './jobRunWriter.ts';
import type { RedisJobContext } from './redisJobContext.ts';
import type { RedisTokens } from './redisTokens.ts';
import type { LiveToken } from './tokenTable.ts';
import type { LogPage } from './updateLog.ts';

interface ReplicatedRunsOptions extends RedisJobContext {
  readonly tokens: RedisTokens;
  readonly maxRuns: number;
  /** Maximum size of the jobs together. */
  readonly maxBytes: number;
  /** Maximum size of the updates that Redis does not have yet. */
  readonly maxUpdateBytes: number;
}

/** A run of this process that is also stored in Redis, so that another process can reclaim it. */
export interface ReplicatedRun extends QueuedJobRun {
  readonly writer: JobRunWriter;
  /** Resolves when Redis has the run, or when the token belongs to another process's run instead. */
  published: Promise<unknown>;
  /** Settles with the last operation on the queue: operations on one run are sequential. */
  queueOperations: Promise<void>;
}

/** The replicated runs of this process, until Redis has everything about them. */
export class ReplicatedRuns {
  readonly #options: ReplicatedRunsOptions;
  readonly #runs = new Map<string, ReplicatedRun>();
  readonly #settling = new PendingPromises();
  #bytes = 0;
  #isClosed = false;

  constructor(options: ReplicatedRunsOptions) {
    this.#options = options;
  }

  hasRoomFor({ size }: Pick<EnrichmentJob, 'size'>): boolean {
    const { maxRuns, maxBytes, maxUpdateBytes, memory } = this.#options;
    if (this.#runs.size >= maxRuns || this.#bytes + size > maxBytes) return false;
    return memory.activeUpdateBytes <= maxUpdateBytes;
  }

  has(runId: string): boolean {
    return this.#runs.has(runId);
  }

  get(runId: string): ReplicatedRun | undefined {
    return this.#runs.get(runId);
  }

  /** This process has the run, and Redis does not (yet). */
  isLocalOnly(runId: string): boolean {
    const run = this.#runs.get(runId);
    if (run !== undefined) return !run.writer.isPersisted;
    return this.#options.memory.logOf(runId) !== undefined;
  }

  /** The updates of a run after a cursor, where Redis does not have the run (yet), or has no other updates. */
  read(runId: string, after: string): LogPage | undefined {
    const log = this.#options.memory.logOf(runId);
    const writer = this.#runs.get(runId)?.writer;
    if (writer?.isPersisted !== true) return log?.pageAfter(after);
    const { soleWriterUpTo } = writer;
    return soleWriterUpTo === undefined ? undefined : log?.pageAfter(after, soleWriterUpTo);
  }

  /** Redis has or had the run: other processes may have tokens of it. */
  mayBeInRedis(runId: string): boolean {
    const run = this.#runs.get(runId);
    return run?.writer.wasPersisted ?? !this.isLocalOnly(runId);
  }

  /** `writtenUpTo`: sequence number of the last update in Redis; `undefined` if Redis does not have the run. */
  add(queuedRun: QueuedJobRun, isRetried: boolean, writtenUpTo: number | undefined): ReplicatedRun {
    const { processId, redis, keys, retentionMs, memory, notifier } = this.#options;
    const { id, job } = queuedRun;
    const writer = new JobRunWriter({
      runId: id,
      processId,
      redis,
      keys,
      retentionMs,
      isRetried,
      writtenUpTo,
      log: () => memory.logOf(id),
      onWritten: () => notifier.notify(id),
      onLost: () => this.#republish(id),
    });
    const run = { ...queuedRun, writer, published: Promise.resolve(), queueOperations: Promise.resolve() };
    this.#runs.set(id, run);
    this.#bytes += job.size;
    return run;
  }

  /** Lets another process find the run when it is due. */
  enqueue(run: ReplicatedRun): Promise<void> {
    return this.#chainQueueOperation(run, (queue) => queue.add(queuedRunOf(run)));
  }

  dequeue(run: ReplicatedRun): Promise<void> {
    return this.#chainQueueOperation(run, (queue) => queue.remove(run.id));
  }

  /** This process no longer works on the run. */
  settle(run: ReplicatedRun, end: JobRunEnd): void {
    this.#settling.add(this.#settle(run, end));
  }

  /** From now on the run is read from Redis. */
  release({ id, job }: ReplicatedRun): void {
    const { memory, notifier } = this.#options;
    if (this.#runs.delete(id)) this.#bytes -= job.size;
    memory.release(id);
    notifier.notify(id);
  }

  /** Writes everything again: Redis answers (again), and may have lost some or all of it. */
  recover(): void {
    for (const token of this.#options.memory.liveTokens()) void this.#rewriteToken(token);
    for (const run of this.#runs.values()) {
      if (!run.writer.isPersisted) continue;
      void run.writer.rewriteAll();
      if (!run.writer.hasEnd) void this.enqueue(run);
    }
  }

  /** Resolves when Redis has everything that this process knows now. */
  async flush(): Promise<void> {
    await Promise.all(Array.from(this.#runs.values(), ({ writer }) => writer.write()));
    await this.#settling.settled();
  }

  close(): void {
    this.#isClosed = true;
    this.#runs.clear();
  }

  async #rewriteToken(token: LiveToken): Promise<void> {
    const { memory, tokens } = this.#options;
    // Until then, the token may be moved to another process's run.
    await this.#runs.get(token.runId)?.published;
    const runId = (await memory.findToken(token.tokenHash))?.runId;
    if (runId === undefined) return;
    const isForRedis = this.#runs.has(runId) || !this.isLocalOnly(runId);
    if (isForRedis) await tokens.write(token, runId, token.expiresInMs);
  }

  async #settle(run: ReplicatedRun, end: JobRunEnd): Promise<void> {
    const { id, writer } = run;
    writer.recordEnd(end);
    await run.published;
    await writer.write();
    if (end.kind === 'released') {
      await this.#chainQueueOperation(run, (queue) => queue.promote(id));
    } else if (!writer.isOwnedElsewhere) {
      if (end.kind === 'failed') {
        const { failedKeys, attempts, error } = end;
        const failedRun = { ...queuedRunOf(run), failure: { failedKeys, attempts, error } };
        await this.#chainQueueOperation(run, (queue) => queue.fail(failedRun));
      } else {
        await this.dequeue(run);
      }
    }
    this.release(run);
  }

  /** Redis had the run and lost it. */
  #republish(runId: string): void {
    const { memory, tokens } = this.#options;
    const run = this.#runs.get(runId);
    if (run === undefined) return;
    void this.enqueue(run);
    for (const token of memory.liveTokensOf(runId)) void tokens.write(token, runId, token.expiresInMs);
  }

  #chainQueueOperation(run: ReplicatedRun, operate: (queue: JobQueue) => Promise<void>): Promise<void> {
    const { queue, onFailure } = this.#options;
    run.queueOperations = run.queueOperations
      .then(() => operate(queue))
      .catch((error: unknown) => {
        if (!this.#isClosed) onFailure(error instanceof Error ? error : new Error(String(error)));
      });
    return run.queueOperations;
  }
}

function queuedRunOf({ id, job, createdAt, createdBy }: QueuedJobRun): QueuedJobRun {
  return { id, job, createdAt, createdBy };
}
