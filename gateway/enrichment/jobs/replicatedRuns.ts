import type { RetryingRedisClient } from '../../redis/retryingRedisClient.ts';
import type { EnrichmentJob } from '../enrichmentJob.ts';
import type { JobKeys } from './jobKeys.ts';
import type { JobQueue, QueuedJobRun } from './jobQueue.ts';
import { JobRunWriter } from './jobRunWriter.ts';
import type { JobRunEnd } from './jobStore.ts';
import type { MemoryJobStore } from './memoryJobStore.ts';
import type { RedisTokens } from './redisTokens.ts';
import type { UpdateNotifier } from './updateNotifier.ts';

interface ReplicatedRunsOptions {
  readonly processId: string;
  readonly redis: RetryingRedisClient;
  readonly keys: JobKeys;
  readonly tokens: RedisTokens;
  readonly queue: JobQueue;
  /** Has the updates of each, until Redis has them. */
  readonly memory: MemoryJobStore;
  /** Are told when a work is read from Redis from now on. */
  readonly notifier: UpdateNotifier;
  /** Milliseconds that Redis keeps a work from its newest token on. */
  readonly retentionMs: number;
  /** Most at a time. */
  readonly maxRuns: number;
  /** Most bytes of their jobs. */
  readonly maxBytes: number;
  /** Most bytes of updates that Redis has not taken yet. */
  readonly maxUpdateBytes: number;
  /** The queue has not done what it was asked for. */
  onFailure(failure: Error): void;
}

/** A work of this process that other processes are to know. */
export interface ReplicatedRun extends QueuedJobRun {
  readonly writer: JobRunWriter;
  /** Resolves when it is clear that others know it, or that an equal one is in its place. */
  published: Promise<unknown>;
  /** What is done in the queue, one after the other. */
  queueOperations: Promise<void>;
}

/** How the works of this process that others are to know stand in Redis, until nothing is left to be told of them. */
export class ReplicatedRuns {
  readonly #options: ReplicatedRunsOptions;
  readonly #runs = new Map<string, ReplicatedRun>();
  /** What is not yet done of the ends of works. */
  readonly #settling = new Set<Promise<void>>();
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

  has(workId: string): boolean {
    return this.#runs.has(workId);
  }

  get(workId: string): ReplicatedRun | undefined {
    return this.#runs.get(workId);
  }

  /** Redis does not know of it (yet). */
  isLocalOnly(workId: string): boolean {
    const shared = this.#runs.get(workId);
    if (shared !== undefined) return !shared.writer.isPersisted;
    return this.#options.memory.logOf(workId) !== undefined;
  }

  /** Others may have tokens for it: Redis knows of it, or did. */
  mayBeInRedis(workId: string): boolean {
    const shared = this.#runs.get(workId);
    return shared?.writer.wasPersisted ?? !this.isLocalOnly(workId);
  }

  /** `written`: number of the last update that Redis has; `undefined` where Redis does not know the work. */
  add(work: QueuedJobRun, isRetried: boolean, written: number | undefined): ReplicatedRun {
    const { processId, redis, keys, retentionMs, memory } = this.#options;
    const writer = new JobRunWriter({
      runId: work.id,
      processId,
      redis,
      keys,
      retentionMs,
      isRetried,
      writtenUpTo: written,
      log: () => memory.logOf(work.id),
      onLost: () => this.#republish(work.id),
    });
    const shared = {
      ...work,
      writer,
      published: Promise.resolve(),
      queueOperations: Promise.resolve(),
    };
    this.#runs.set(work.id, shared);
    this.#bytes += work.job.size;
    return shared;
  }

  /** Others find it when it is due. */
  enqueue(shared: ReplicatedRun): Promise<void> {
    return this.#chainQueueOperation(shared, (queue) => queue.add(queuedRunOf(shared)));
  }

  dequeue(shared: ReplicatedRun): Promise<void> {
    return this.#chainQueueOperation(shared, (queue) => queue.remove(shared.id));
  }

  /** This process does no more for it. */
  settle(shared: ReplicatedRun, end: JobRunEnd): void {
    const settled = this.#settle(shared, end).finally(() => this.#settling.delete(settled));
    this.#settling.add(settled);
  }

  /** From now on it is read from Redis. */
  release({ id, job }: ReplicatedRun): void {
    const { memory, notifier } = this.#options;
    if (this.#runs.delete(id)) this.#bytes -= job.size;
    memory.release(id);
    notifier.notify(id);
  }

  /** Redis can be spoken to (again), and may have forgotten some or all, or been silent for a while. */
  recover(): void {
    const { memory, tokens } = this.#options;
    for (const token of memory.liveTokens()) {
      const isForRedis = this.#runs.has(token.runId) || !this.isLocalOnly(token.runId);
      if (isForRedis) void tokens.write(token, token.runId, token.expiresInMs);
    }
    for (const shared of this.#runs.values()) {
      if (!shared.writer.isPersisted) continue;
      void shared.writer.rewriteAll();
      void this.enqueue(shared);
    }
  }

  /** Resolves when Redis has all that there is to tell by now. */
  async flush(): Promise<void> {
    await Promise.all(Array.from(this.#runs.values(), ({ writer }) => writer.write()));
    await Promise.all(this.#settling);
  }

  close(): void {
    this.#isClosed = true;
    this.#runs.clear();
  }

  async #settle(shared: ReplicatedRun, end: JobRunEnd): Promise<void> {
    const { id, writer } = shared;
    writer.recordEnd(end);
    await shared.published;
    await writer.write();
    if (writer.isOwnedElsewhere && end.kind !== 'left') {
      // Nothing to be done for it here.
    } else if (end.kind === 'failed') {
      const { failedKeys, attempts, error } = end;
      const failed = { ...queuedRunOf(shared), failure: { failedKeys, attempts, error } };
      await this.#chainQueueOperation(shared, (queue) => queue.fail(failed));
    } else if (end.kind === 'left') {
      await this.#chainQueueOperation(shared, (queue) => queue.promote(id));
    } else {
      await this.dequeue(shared);
    }
    this.release(shared);
  }

  /** Redis has lost a work that it knew. */
  #republish(workId: string): void {
    const { memory, tokens } = this.#options;
    const shared = this.#runs.get(workId);
    if (shared === undefined) return;
    void this.enqueue(shared);
    for (const token of memory.liveTokens()) {
      if (token.runId === workId) void tokens.write(token, workId, token.expiresInMs);
    }
  }

  #chainQueueOperation(shared: ReplicatedRun, act: (queue: JobQueue) => Promise<void>): Promise<void> {
    const { queue, onFailure } = this.#options;
    shared.queueOperations = shared.queueOperations
      .then(() => act(queue))
      .catch((error: unknown) => {
        if (!this.#isClosed) onFailure(error instanceof Error ? error : new Error(String(error)));
      });
    return shared.queueOperations;
  }
}

function queuedRunOf({ id, job, createdAt, createdBy }: QueuedJobRun): QueuedJobRun {
  return { id, job, createdAt, createdBy };
}
