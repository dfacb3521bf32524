import { Worker } from 'node:worker_threads';
import type { OverrideLabels } from './overrideLabels.ts';
import type { PlannerThreadData, PlannerThreadMessage, PlannerThreadRequest } from './plannerMessages.ts';
import type { QueryPlan } from './queryPlan.ts';
import { workerEntryUrl } from './workerEntryUrl.ts';

/** Seen in the operating system's thread list. */
const threadName = 'tributary-plan';

export interface PlannerThreadOptions extends PlannerThreadData {
  /** Largest heap of the thread, in bytes. */
  readonly memoryBytes: number;
}

export interface PlannerThread {
  readonly apiSchemaSdl: string;
  readonly subgraphs: readonly { readonly name: string; readonly url: string }[];
  readonly overrides: OverrideLabels;
  /** False once the thread is gone or going. */
  readonly isAlive: () => boolean;
  /** One plan at a time. Never rejects. A plan that takes longer than `timeoutMs` ends the thread. */
  plan(request: PlannerThreadRequest, timeoutMs: number): Promise<PlanOutcome>;
  /** Resolves when the thread is gone; a plan under way ends as `lost`. */
  terminate(): Promise<void>;
}

export type PlanOutcome =
  | { readonly kind: 'planned'; readonly plan: QueryPlan }
  /** The planner threw. The thread goes on. */
  | { readonly kind: 'failed'; readonly message: string; readonly exceeded: string | undefined }
  /** The thread is gone. */
  | { readonly kind: 'lost'; readonly reason: ThreadLossReason };

export type ThreadLossReason =
  | { readonly kind: 'time' }
  | { readonly kind: 'memory' }
  | { readonly kind: 'ended' }
  | { readonly kind: 'crash'; readonly error: unknown };

/** Room for the objects of one plan at a time. */
const maxYoungGenerationSizeMb = 48;

/** V8 ends a thread at the limit of its heap only if it comes there by small steps. An allocation that is too large
 *  for what is left (a `Map` that grows, say) ends the whole process. So V8's limit is this many times ours, and ours
 *  is watched from outside; what may be garbage has half of the room between the two. */
const heapHeadroomFactor = 2;
const heapCheckIntervalMs = 25;

/** Calls once when the thread's heap is larger. Returns what ends the watch. */
function watchHeap(worker: Worker, maxBytes: number, onExceeded: () => void): () => void {
  let isAsking = false;
  const timer = setInterval(() => {
    if (isAsking) return;
    isAsking = true;
    worker.getHeapStatistics().then(
      (heap) => {
        isAsking = false;
        if (heap.used_heap_size + heap.external_memory <= maxBytes) return;
        clearInterval(timer);
        onExceeded();
      },
      // It is not there yet, or not any more.
      () => {
        isAsking = false;
      },
    );
  }, heapCheckIntervalMs).unref();
  return () => clearInterval(timer);
}

/** Starts what plans for one supergraph, which is ready when the promise resolves. Tests give one without a thread. */
export type StartPlannerThread = (
  options: PlannerThreadOptions,
  signal?: AbortSignal,
) => Promise<PlannerThread>;

/** Starts a thread that holds the planner of one supergraph; resolves when it is ready to plan.
 *  Errors: an `Error` with the loader's message; the signal's reason when it was aborted before. The thread
 *  is gone in both cases. While it has nothing to do it keeps no process alive. */
export function startPlannerThread(
  options: PlannerThreadOptions,
  signal?: AbortSignal,
): Promise<PlannerThread> {
  const { memoryBytes, ...data } = options;
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const worker = new Worker(workerEntryUrl('plannerWorker', import.meta.url), {
      name: threadName,
      workerData: data satisfies PlannerThreadData,
      resourceLimits: {
        maxOldGenerationSizeMb: Math.ceil((memoryBytes * heapHeadroomFactor) / 1024 ** 2),
        // The process's own flag, meant for fifty requests at once, would give this thread as much again.
        maxYoungGenerationSizeMb,
      },
    });
    const watch = (): (() => void) =>
      watchHeap(worker, memoryBytes * (1 + heapHeadroomFactor) * 0.5, () => {
        lost ??= { kind: 'memory' };
        void end();
      });
    const endLoadWatch = watch();
    let lost: ThreadLossReason | undefined;
    let crash: unknown;
    let finishPlan: ((outcome: PlanOutcome) => void) | undefined;

    const exited = new Promise<void>((gone) => {
      worker.once('exit', () => {
        endLoadWatch();
        const loss = crash === undefined ? undefined : classifyCrash(crash);
        // What a thread says that has run out of memory in the midst of loading is no reason.
        if (lost?.kind === 'crash' && loss?.kind === 'memory') lost = loss;
        lost ??= loss ?? { kind: 'ended' };
        finishPlan?.({ kind: 'lost', reason: lost });
        signal?.removeEventListener('abort', abandon);
        reject(signal?.aborted ? signal.reason : loadError(lost, memoryBytes));
        gone();
      });
    });
    const end = async (): Promise<void> => {
      lost ??= { kind: 'ended' };
      // `terminate` settles for a thread that is gone already, too.
      await worker.terminate();
      await exited;
    };
    const abandon = (): void => void end();
    /** An idle thread keeps no process alive. One that is being terminated does: its end is awaited. */
    const releaseProcess = (): void => {
      if (lost === undefined) worker.unref();
    };
    signal?.addEventListener('abort', abandon, { once: true });

    worker.once('error', (error) => {
      crash = error;
    });
    worker.on('message', (message: PlannerThreadMessage) => {
      switch (message.kind) {
        case 'ready':
          endLoadWatch();
          signal?.removeEventListener('abort', abandon);
          releaseProcess();
          resolve({
            apiSchemaSdl: message.apiSchemaSdl,
            subgraphs: message.subgraphs,
            overrides: message.overrides,
            isAlive: () => lost === undefined,
            plan,
            terminate: end,
          });
          break;
        case 'refused':
          lost ??= { kind: 'crash', error: new Error(message.message) };
          break;
        case 'planned':
          finishPlan?.({ kind: 'planned', plan: JSON.parse(message.plan) as QueryPlan });
          break;
        case 'failed':
          finishPlan?.(message);
          break;
      }
    });

    const plan = (request: PlannerThreadRequest, timeoutMs: number): Promise<PlanOutcome> =>
      new Promise((settle) => {
        if (lost !== undefined) {
          settle({ kind: 'lost', reason: lost });
          return;
        }
        const timer = setTimeout(() => {
          lost = { kind: 'time' };
          void end();
        }, timeoutMs);
        const endWatch = watch();
        finishPlan = (outcome) => {
          clearTimeout(timer);
          endWatch();
          finishPlan = undefined;
          releaseProcess();
          settle(outcome);
        };
        worker.ref();
        worker.postMessage(request);
      });
  });
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
        `the supergraph needs more memory than planning.memory allows (${Math.ceil(memoryBytes / 1024 ** 2)} MB)`,
      );
    case 'crash':
      return reason.error instanceof Error ? reason.error : new Error(String(reason.error));
    case 'ended':
    case 'time':
      return new Error("the planner's thread ended while it loaded the supergraph");
  }
}
