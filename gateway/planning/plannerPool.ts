import { backoffDelayMs } from '../time/backoffDelayMs.ts';
import { PendingPromises } from '../time/pendingPromises.ts';
import type { CancelTimer, Timers } from '../time/timers.ts';
import type { PlanRequest } from './planner.ts';
import type { PlannerThread, PlanOutcome, ThreadLossReason } from './plannerThread.ts';
import { PlanQueue, type PlanQueueLimits } from './planQueue.ts';

export interface PlannerPoolLimits extends PlanQueueLimits {
  /** Maximum number of threads. */
  readonly threads: number;
  /** Planning time in milliseconds after which a thread counts as slow. When all threads are slow and requests are
   *  queued, another thread is started. */
  readonly spareAfterMs: number;
  /** Maximum planning time of one request in milliseconds, queueing excluded. */
  readonly timeoutMs: number;
}

interface PlannerPoolOptions {
  readonly limits: PlannerPoolLimits;
  readonly initialThread: PlannerThread;
  /** Rejects with the signal's reason when the signal is aborted. */
  readonly startThread: (signal: AbortSignal) => Promise<PlannerThread>;
  readonly timers: Timers;
  /** Called when a thread crashes, exits by itself, or cannot be started. Another one is started later. */
  readonly onThreadFailure: (cause: unknown) => void;
}

/** Idle time after which a thread is terminated, unless it is the only one. */
const spareIdleMs = 60_000;

/** Between attempts to start a thread after a failure that no operation has caused. */
const restartBackoff = { minDelay: 100, maxDelay: 5_000 };

export type PoolOutcome =
  | PlanOutcome
  /** The queue is full. */
  | { readonly kind: 'overloaded' }
  /** No thread is running and none could be started. */
  | { readonly kind: 'unavailable'; readonly cause: unknown }
  | { readonly kind: 'closed' };

interface PlanJob {
  readonly request: PlanRequest;
  readonly settle: (outcome: PoolOutcome) => void;
}

interface PlannerSlot {
  readonly thread: PlannerThread;
  state: 'idle' | 'busy' | 'slow';
  cancelIdle?: (() => void) | undefined;
}

/** The planner threads of one supergraph. Normally there is one, because each holds the whole supergraph in memory.
 *  While a slow plan occupies it, further threads serve the queue and stay for `spareIdleMs`, because slow operations
 *  rarely arrive alone. A thread that ends is replaced, unless another one is running: immediately when a plan
 *  exceeded a limit, otherwise with backoff, because the next thread may fail for the same reason. */
export class PlannerPool {
  readonly #options: PlannerPoolOptions;
  readonly #queue: PlanQueue<PlanJob>;
  readonly #slots = new Set<PlannerSlot>();
  readonly #closeController = new AbortController();
  readonly #terminations = new PendingPromises();
  #threadStart: Promise<void> | undefined;
  /** Failures of threads since the last plan. */
  #failures = 0;
  #cancelRestart: CancelTimer | undefined;

  constructor(options: PlannerPoolOptions) {
    this.#options = options;
    this.#queue = new PlanQueue(options.limits);
    this.#addSlot(options.initialThread);
  }

  /** Queues a request. The promise never rejects. */
  plan(request: PlanRequest): Promise<PoolOutcome> {
    if (this.#isClosed) return Promise.resolve({ kind: 'closed' });
    return new Promise((settle) => {
      if (!this.#queue.add({ request, settle })) settle({ kind: 'overloaded' });
      else this.#dispatch();
    });
  }

  /** Resolves when every thread has exited. Queued and running requests end as `closed`. */
  async close(): Promise<void> {
    this.#closeController.abort();
    this.#cancelRestart?.();
    for (const { settle } of this.#queue.takeAll()) settle({ kind: 'closed' });
    for (const slot of this.#slots) this.#terminate(slot);
    await this.#threadStart;
    await this.#terminations.settled();
  }

  get #isClosed(): boolean {
    return this.#closeController.signal.aborted;
  }

  #dispatch(): void {
    if (this.#isClosed) return;
    for (const slot of this.#slots) {
      if (!slot.thread.isAlive()) this.#slots.delete(slot);
      else if (slot.state === 'idle') {
        const job = this.#queue.take();
        if (job === undefined) this.#terminateWhenIdle(slot);
        else void this.#runJob(slot, job);
      }
    }
    if (this.#needsThread()) this.#startThreadWithBackoff();
  }

  async #runJob(slot: PlannerSlot, job: PlanJob): Promise<void> {
    const { timers, limits } = this.#options;
    slot.cancelIdle?.();
    slot.cancelIdle = undefined;
    slot.state = 'busy';
    const cancelSlow = timers.after(limits.spareAfterMs, () => {
      slot.state = 'slow';
      this.#dispatch();
    });
    const outcome = await slot.thread.plan(job.request, limits.timeoutMs);
    cancelSlow();
    slot.state = 'idle';
    if (outcome.kind === 'lost') this.#drop(slot, outcome.reason);
    else this.#failures = 0;
    job.settle(outcome.kind === 'lost' && this.#isClosed ? { kind: 'closed' } : outcome);
    this.#dispatch();
  }

  #needsThread(): boolean {
    if (this.#threadStart !== undefined || this.#cancelRestart !== undefined) return false;
    if (this.#slots.size === 0) return true;
    return (
      this.#queue.size > 0 &&
      this.#slots.size < this.#options.limits.threads &&
      [...this.#slots].every(({ state }) => state === 'slow')
    );
  }

  #addSlot(thread: PlannerThread): PlannerSlot {
    const slot: PlannerSlot = { thread, state: 'idle' };
    this.#slots.add(slot);
    void thread.exited.then((reason) => {
      this.#drop(slot, reason);
      this.#dispatch();
    });
    return slot;
  }

  /** Removes a thread that has exited, unless the pool has terminated it. */
  #drop(slot: PlannerSlot, reason: ThreadLossReason): void {
    if (!this.#slots.delete(slot) || this.#isClosed) return;
    slot.cancelIdle?.();
    if (reason.kind === 'crash') this.#recordFailure(reason.error);
    else if (reason.kind === 'ended') this.#recordFailure(new Error('The planner thread exited.'));
  }

  #recordFailure(cause: unknown): void {
    this.#failures++;
    this.#options.onThreadFailure(cause);
  }

  #startThreadWithBackoff(): void {
    if (this.#failures === 0) {
      this.#startThread();
      return;
    }
    this.#cancelRestart = this.#options.timers.after(backoffDelayMs(this.#failures, restartBackoff), () => {
      this.#cancelRestart = undefined;
      if (this.#needsThread()) this.#startThread();
    });
  }

  #startThread(): void {
    this.#threadStart = this.#options.startThread(this.#closeController.signal).then(
      (thread) => {
        this.#threadStart = undefined;
        const slot = this.#addSlot(thread);
        if (this.#isClosed) this.#terminate(slot);
        else this.#dispatch();
      },
      (cause) => {
        this.#threadStart = undefined;
        if (this.#isClosed) return;
        this.#recordFailure(cause);
        if (this.#slots.size === 0) {
          for (const { settle } of this.#queue.takeAll()) settle({ kind: 'unavailable', cause });
        }
        this.#dispatch();
      },
    );
  }

  #terminateWhenIdle(slot: PlannerSlot): void {
    if (slot.cancelIdle !== undefined || this.#slots.size === 1) return;
    slot.cancelIdle = this.#options.timers.after(spareIdleMs, () => {
      slot.cancelIdle = undefined;
      if (this.#slots.size > 1) this.#terminate(slot);
    });
  }

  #terminate(slot: PlannerSlot): void {
    this.#slots.delete(slot);
    slot.cancelIdle?.();
    this.#terminations.add(slot.thread.terminate());
  }
}
