import { Worker } from 'node:worker_threads';
import type { SupergraphSummary } from './planner.ts';
import type { PlannerThreadData, PlannerThreadMessage, PlannerThreadRequest } from './plannerMessages.ts';
import type { QueryPlan } from './queryPlan.ts';
import { threadStackSizeMb } from './threadStack.ts';
import { ThreadStartError } from './threadStartError.ts';
import { workerEntryUrl } from './workerEntryUrl.ts';

/** Visible in the operating system's thread list. */
const threadName = 'tributary-plan';

export interface PlannerThreadOptions extends PlannerThreadData {
  /** Maximum heap of the thread in bytes. */
  readonly memoryBytes: number;
}

export interface PlannerThread extends SupergraphSummary {
  /** False once the thread has exited or is being terminated. */
  readonly isAlive: () => boolean;
  /** Resolves when the thread has exited, also after a failure. */
  readonly exited: Promise<ThreadLossReason>;
  /** Plans one request at a time. Never rejects. A plan that takes longer than `timeoutMs` terminates the thread. */
  plan(request: PlannerThreadRequest, timeoutMs: number): Promise<PlanOutcome>;
  /** Resolves when the thread has exited. A running plan ends as `lost`. */
  terminate(): Promise<void>;
}

export type PlanOutcome =
  | { readonly kind: 'planned'; readonly plan: QueryPlan }
  /** The planner threw. The thread is still usable. */
  | { readonly kind: 'failed'; readonly message: string; readonly exceeded: string | undefined }
  /** The thread has exited. */
  | { readonly kind: 'lost'; readonly reason: ThreadLossReason };

export type ThreadLossReason =
  | { readonly kind: 'time' }
  | { readonly kind: 'memory' }
  | { readonly kind: 'ended' }
  | { readonly kind: 'crash'; readonly error: unknown };

/** Enough for the objects of one plan. */
const maxYoungGenerationSizeMb = 48;

/** V8 terminates a thread that approaches its heap limit in small steps. A single allocation beyond the limit (a `Map`
 *  that grows, for example) ends the whole process. So V8's limit is this multiple of `memoryBytes`, and the main thread
 *  polls the heap. The poll allows half of the difference, because the heap includes garbage. */
const heapHeadroomFactor = 2;
const heapCheckIntervalMs = 25;

/** Calls `onExceeded` once when the thread's heap exceeds `maxBytes`. Returns a function that stops polling. */
function watchHeap(worker: Worker, maxBytes: number, onExceeded: () => void): () => void {
  let isProbing = false;
  const timer = setInterval(() => {
    if (isProbing) return;
    isProbing = true;
    worker.getHeapStatistics().then(
      (heap) => {
        isProbing = false;
        if (heap.used_heap_size + heap.external_memory <= maxBytes) return;
        clearInterval(timer);
        onExceeded();
      },
      // The thread has not started yet, or has exited.
      () => {
        isProbing = false;
      },
    );
  }, heapCheckIntervalMs).unref();
  return () => clearInterval(timer);
}

/** Starts the planner of one supergraph. Tests pass an implementation without a thread. */
export type StartPlannerThread = (
  options: PlannerThreadOptions,
  signal?: AbortSignal,
) => Promise<PlannerThread>;

/** Starts a thread that holds the planner of one supergraph. Resolves when the thread is ready to plan. An idle thread
 *  does not keep the process alive.
 *  @throws {ThreadStartError} when the system starts no thread.
 *  @throws {Error} with the loader's message, or the signal's reason. The thread has exited in both cases. */
export function startPlannerThread(
  options: PlannerThreadOptions,
  signal?: AbortSignal,
): Promise<PlannerThread> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const thread = new ThreadHandle(options, {
      onReady: ({ apiSchemaSdl, subgraphs, overrides, names }) => {
        endLoading();
        resolve({
          apiSchemaSdl,
          subgraphs,
          overrides,
          names,
          isAlive: () => thread.isAlive,
          exited: thread.exited,
          plan: (request, timeoutMs) => thread.plan(request, timeoutMs),
          terminate: () => thread.terminate(),
        });
      },
      onExit: (reason) => {
        endLoading();
        reject(signal?.aborted ? signal.reason : loadError(reason, options.memoryBytes));
      },
    });
    const stopHeapWatch = thread.watchHeap();
    const onAbort = (): void => void thread.terminate();
    signal?.addEventListener('abort', onAbort, { once: true });

    function endLoading(): void {
      stopHeapWatch();
      signal?.removeEventListener('abort', onAbort);
    }
  });
}

interface ThreadListener {
  /** The thread has loaded the supergraph. */
  onReady(summary: SupergraphSummary): void;
  /** Called once, also for a thread that never was ready. */
  onExit(reason: ThreadLossReason): void;
}

/** A planner thread as the main thread sees it: its messages, the limit of its heap, and why it has exited. */
class ThreadHandle {
  readonly exited: Promise<ThreadLossReason>;
  readonly #worker: Worker;
  readonly #memoryBytes: number;
  #lossReason: ThreadLossReason | undefined;
  #crash: unknown;
  #finishPlan: ((outcome: PlanOutcome) => void) | undefined;

  /** @throws {ThreadStartError} */
  constructor({ memoryBytes, ...data }: PlannerThreadOptions, listener: ThreadListener) {
    this.#memoryBytes = memoryBytes;
    this.#worker = startWorker(memoryBytes, data);
    const { promise, resolve } = Promise.withResolvers<ThreadLossReason>();
    this.exited = promise;
    this.#worker.once('error', (error) => {
      this.#crash = error;
    });
    this.#worker.once('exit', () => {
      const reason = this.#reasonOfExit();
      this.#lossReason = reason;
      this.#finishPlan?.({ kind: 'lost', reason });
      listener.onExit(reason);
      resolve(reason);
    });
    this.#worker.on('message', (message: PlannerThreadMessage) => this.#onMessage(message, listener));
  }

  get isAlive(): boolean {
    return this.#lossReason === undefined;
  }

  /** Terminates the thread when it exceeds its memory. Returns a function that ends the watch. */
  watchHeap(): () => void {
    return watchHeap(this.#worker, this.#memoryBytes * (1 + heapHeadroomFactor) * 0.5, () => {
      void this.#terminateBecause({ kind: 'memory' });
    });
  }

  plan(request: PlannerThreadRequest, timeoutMs: number): Promise<PlanOutcome> {
    return new Promise((settle) => {
      if (this.#lossReason !== undefined) {
        settle({ kind: 'lost', reason: this.#lossReason });
        return;
      }
      const timer = setTimeout(() => void this.#terminateBecause({ kind: 'time' }), timeoutMs);
      const stopHeapWatch = this.watchHeap();
      const finish = (outcome: PlanOutcome): void => {
        clearTimeout(timer);
        stopHeapWatch();
        this.#finishPlan = undefined;
        this.#releaseProcess();
        settle(outcome);
      };
      this.#finishPlan = finish;
      this.#worker.ref();
      this.#worker.postMessage(request);
    });
  }

  terminate(): Promise<void> {
    return this.#terminateBecause({ kind: 'ended' });
  }

  async #terminateBecause(reason: ThreadLossReason): Promise<void> {
    this.#lossReason ??= reason;
    // `worker.terminate()` also settles for a thread that has exited.
    await this.#worker.terminate();
    await this.exited;
  }

  #onMessage(message: PlannerThreadMessage, listener: ThreadListener): void {
    switch (message.kind) {
      case 'ready':
        this.#releaseProcess();
        listener.onReady(message);
        break;
      case 'refused':
        this.#lossReason ??= { kind: 'crash', error: new Error(message.message) };
        break;
      case 'planned':
        this.#finishPlan?.({ kind: 'planned', plan: JSON.parse(message.plan) as QueryPlan });
        break;
      case 'failed':
        this.#finishPlan?.(message);
        break;
    }
  }

  #reasonOfExit(): ThreadLossReason {
    const crash = this.#crash === undefined ? undefined : classifyCrash(this.#crash);
    // A thread that ran out of memory while loading may have reported a misleading load error first.
    if (this.#lossReason?.kind === 'crash' && crash?.kind === 'memory') return crash;
    return this.#lossReason ?? crash ?? { kind: 'ended' };
  }

  /** An idle thread must not keep the process alive. A thread that is being terminated must, because its exit is
   *  awaited. */
  #releaseProcess(): void {
    if (this.isAlive) this.#worker.unref();
  }
}

/** @throws {ThreadStartError} */
function startWorker(memoryBytes: number, data: PlannerThreadData): Worker {
  const options = {
    name: threadName,
    workerData: data,
    resourceLimits: {
      maxOldGenerationSizeMb: Math.ceil((memoryBytes * heapHeadroomFactor) / 1024 ** 2),
      maxYoungGenerationSizeMb,
      stackSizeMb: threadStackSizeMb,
    },
  };
  try {
    return new Worker(workerEntryUrl('plannerWorker', import.meta.url), options);
  } catch (error) {
    throw new ThreadStartError(error);
  }
}

function classifyCrash(error: unknown): ThreadLossReason {
  const isMemory =
    typeof error === 'object' &&
    error !== null &&
    'code' in error &&
    error.code === 'ERR_WORKER_OUT_OF_MEMORY';
  return isMemory ? { kind: 'memory' } : { kind: 'crash', error };
}

function loadError(reason: ThreadLossReason, memoryBytes: number): Error {
  switch (reason.kind) {
    case 'memory':
      return new Error(
        `loading the supergraph needs more memory than ${Math.ceil(memoryBytes / 1024 ** 2)} MB (planning.memory)`,
      );
    case 'crash':
      return reason.error instanceof Error ? reason.error : new Error(String(reason.error));
    case 'ended':
    case 'time':
      return new Error('the planner thread exited while it loaded the supergraph');
  }
}
