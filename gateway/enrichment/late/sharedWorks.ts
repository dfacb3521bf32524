import type { PatientRedis } from '../../redis/patientRedis.ts';
import type { EnrichmentJob } from '../enrichmentJob.ts';
import type { ChangeListeners } from './changeListeners.ts';
import type { LateKeys } from './lateKeys.ts';
import type { LateQueue, QueuedWork } from './lateQueue.ts';
import type { WorkEnd } from './lateStore.ts';
import type { MemoryLateStore } from './memoryLateStore.ts';
import type { RedisTokens } from './redisTokens.ts';
import { WorkWriter } from './workWriter.ts';

export interface SharedWorksOptions {
  readonly processId: string;
  readonly redis: PatientRedis;
  readonly keys: LateKeys;
  readonly tokens: RedisTokens;
  readonly queue: LateQueue;
  /** Has the updates of each, until Redis has them. */
  readonly memory: MemoryLateStore;
  /** Are told when a work is read from Redis from now on. */
  readonly listeners: ChangeListeners;
  /** Milliseconds that Redis keeps a work from its newest token on. */
  readonly keepFor: number;
  /** Most at a time. */
  readonly most: number;
  /** Most bytes of their jobs. */
  readonly mostBytes: number;
  /** Most bytes of updates that Redis has not taken yet. */
  readonly mostUpdateBytes: number;
  /** The queue has not done what it was asked for. */
  onFailure(failure: Error): void;
}

/** A work of this process that other processes are to know. */
export interface SharedWork extends QueuedWork {
  readonly writer: WorkWriter;
  /** Resolves when it is clear that others know it, or that an equal one is in its place. */
  begun: Promise<unknown>;
  /** What is done in the queue, one after the other. */
  queued: Promise<void>;
}

/** How the works of this process that others are to know stand in Redis, until nothing is left to be told of them. */
export class SharedWorks {
  readonly #options: SharedWorksOptions;
  readonly #works = new Map<string, SharedWork>();
  /** What is not yet done of the ends of works. */
  readonly #settling = new Set<Promise<void>>();
  #bytes = 0;
  #isClosed = false;

  constructor(options: SharedWorksOptions) {
    this.#options = options;
  }

  hasRoomFor({ size }: Pick<EnrichmentJob, 'size'>): boolean {
    const { most, mostBytes, mostUpdateBytes, memory } = this.#options;
    if (this.#works.size >= most || this.#bytes + size > mostBytes) return false;
    return memory.openBytes <= mostUpdateBytes;
  }

  has(workId: string): boolean {
    return this.#works.has(workId);
  }

  get(workId: string): SharedWork | undefined {
    return this.#works.get(workId);
  }

  /** Redis does not know of it (yet). */
  isOnlyHere(workId: string): boolean {
    const shared = this.#works.get(workId);
    if (shared !== undefined) return !shared.writer.isKnown;
    return this.#options.memory.logOf(workId) !== undefined;
  }

  /** Others may have tokens for it: Redis knows of it, or did. */
  mayBeKnown(workId: string): boolean {
    const shared = this.#works.get(workId);
    return shared?.writer.hasBeenKnown ?? !this.isOnlyHere(workId);
  }

  /** `written`: number of the last update that Redis has; `undefined` where Redis does not know the work. */
  add(work: QueuedWork, isRetried: boolean, written: number | undefined): SharedWork {
    const { processId, redis, keys, keepFor, memory } = this.#options;
    const writer = new WorkWriter({
      workId: work.id,
      processId,
      redis,
      keys,
      keepFor,
      isRetried,
      written,
      log: () => memory.logOf(work.id),
      onLost: () => this.#tellAnew(work.id),
    });
    const shared = { ...work, writer, begun: Promise.resolve(), queued: Promise.resolve() };
    this.#works.set(work.id, shared);
    this.#bytes += work.job.size;
    return shared;
  }

  /** Others find it when it is due. */
  enqueue(shared: SharedWork): Promise<void> {
    return this.#inQueue(shared, (queue) => queue.add(queuedOf(shared)));
  }

  dequeue(shared: SharedWork): Promise<void> {
    return this.#inQueue(shared, (queue) => queue.remove(shared.id));
  }

  /** This process does no more for it. */
  settle(shared: SharedWork, end: WorkEnd): void {
    const settled = this.#settle(shared, end).finally(() => this.#settling.delete(settled));
    this.#settling.add(settled);
  }

  /** From now on it is read from Redis. */
  release({ id, job }: SharedWork): void {
    const { memory, listeners } = this.#options;
    if (this.#works.delete(id)) this.#bytes -= job.size;
    memory.release(id);
    listeners.tell(id);
  }

  /** Redis can be spoken to (again), and may have forgotten some or all, or been silent for a while. */
  recover(): void {
    const { memory, tokens } = this.#options;
    for (const token of memory.tokens()) {
      const isForRedis = this.#works.has(token.workId) || !this.isOnlyHere(token.workId);
      if (isForRedis) void tokens.write(token, token.workId, token.expiresInMs);
    }
    for (const shared of this.#works.values()) {
      if (!shared.writer.isKnown) continue;
      void shared.writer.writeAll();
      void this.enqueue(shared);
    }
  }

  /** Resolves when Redis has all that there is to tell by now. */
  async allWritten(): Promise<void> {
    await Promise.all(Array.from(this.#works.values(), ({ writer }) => writer.write()));
    await Promise.all(this.#settling);
  }

  close(): void {
    this.#isClosed = true;
    this.#works.clear();
  }

  async #settle(shared: SharedWork, end: WorkEnd): Promise<void> {
    const { id, writer } = shared;
    writer.end(end);
    await shared.begun;
    await writer.write();
    if (writer.isTheirs && end.kind !== 'left') {
      // Nothing to be done for it here.
    } else if (end.kind === 'failed') {
      const { keys, attempts, error } = end;
      const failed = { ...queuedOf(shared), failure: { keys, attempts, error } };
      await this.#inQueue(shared, (queue) => queue.fail(failed));
    } else if (end.kind === 'left') {
      await this.#inQueue(shared, (queue) => queue.promote(id));
    } else {
      await this.dequeue(shared);
    }
    this.release(shared);
  }

  /** Redis has lost a work that it knew. */
  #tellAnew(workId: string): void {
    const { memory, tokens } = this.#options;
    const shared = this.#works.get(workId);
    if (shared === undefined) return;
    void this.enqueue(shared);
    for (const token of memory.tokens()) {
      if (token.workId === workId) void tokens.write(token, workId, token.expiresInMs);
    }
  }

  #inQueue(shared: SharedWork, act: (queue: LateQueue) => Promise<void>): Promise<void> {
    const { queue, onFailure } = this.#options;
    shared.queued = shared.queued
      .then(() => act(queue))
      .catch((error: unknown) => {
        if (!this.#isClosed) onFailure(error instanceof Error ? error : new Error(String(error)));
      });
    return shared.queued;
  }
}

function queuedOf({ id, job, begunAt, begunBy }: QueuedWork): QueuedWork {
  return { id, job, begunAt, begunBy };
}
