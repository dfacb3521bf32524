import { GatewayError } from '../errors.ts';
import type { OverrideLabels } from './overrideLabels.ts';
import type { Planner, PlanRequest } from './planner.ts';
import {
  type LossReason,
  type PlannerThread,
  type PlannerThreadOptions,
  type PlanOutcome,
  startPlannerThread,
} from './plannerThread.ts';
import type { QueryPlan } from './queryPlan.ts';

/** Limits of planning: what one operation and one thread may take. */
export interface PlanningLimits {
  /** Longest that one plan may take, in milliseconds, waiting for the thread not included. */
  readonly timeoutMs: number;
  /** Largest heap of the planner's thread, in bytes. */
  readonly memoryBytes: number;
  readonly maxEvaluatedPlans: number;
  readonly pathsLimit: number;
}

export interface WorkerPlannerOptions extends PlanningLimits {
  readonly sdl: string;
  /** Ends the loading; the returned promise is rejected with the signal's reason. Unused once it is loaded. */
  readonly signal?: AbortSignal | undefined;
}

export interface WorkerPlanner extends Planner {
  /** SDL of what clients see, with the definition of `@defer`. */
  readonly apiSchemaSdl: string;
  /** As the supergraph names them; a URL may be empty. */
  readonly subgraphs: readonly { readonly name: string; readonly url: string }[];
  readonly overrides: OverrideLabels;
}

interface Job {
  readonly request: PlanRequest;
  readonly resolve: (plan: QueryPlan) => void;
  readonly reject: (error: GatewayError) => void;
}

/** A planner in a thread of its own, so that no operation stops the event loop. Plans run one after the
 *  other; equal requests under way share one plan. A plan that is over its time or memory ends the thread:
 *  its request fails, a new thread takes over, and the requests that waited go on there.
 *  Errors: an `Error` with the loader's message where the supergraph cannot be loaded. */
export async function createWorkerPlanner(options: WorkerPlannerOptions): Promise<WorkerPlanner> {
  const { timeoutMs, signal, ...rest } = options;
  const threadOptions: PlannerThreadOptions = rest;
  const first = await startPlannerThread(threadOptions, signal);

  let thread: PlannerThread | undefined = first;
  let isClosed = false;
  let driving: Promise<void> | undefined;
  const closing = new AbortController();
  const queue: Job[] = [];
  const underWay = new Map<string, Promise<QueryPlan>>();

  const plan = (request: PlanRequest): Promise<QueryPlan> => {
    if (isClosed) return Promise.reject(closedError());
    const key = `${request.defer ? 'defer' : 'whole'} ${JSON.stringify(request.overrides ?? [])} ${request.document}`;
    const known = underWay.get(key);
    if (known !== undefined) return known;
    const promise = new Promise<QueryPlan>((resolve, reject) => {
      queue.push({ request, resolve, reject });
    }).finally(() => underWay.delete(key));
    underWay.set(key, promise);
    driving ??= drive();
    return promise;
  };

  const rejectQueued = (error: GatewayError): void => {
    for (const job of queue.splice(0)) job.reject(error);
  };

  /** Works the queue off. Between its last look at the queue and its end nothing else runs, so that no
   *  request is left behind. A lost thread is replaced at once: the next request need not wait for it. */
  const drive = async (): Promise<void> => {
    try {
      while (!isClosed) {
        if (thread === undefined) thread = await startPlannerThread(threadOptions, closing.signal);
        else if (!thread.isAlive()) thread = undefined;
        else {
          const job = queue.shift();
          if (job === undefined) break;
          settle(job, await thread.plan(job.request, timeoutMs));
        }
      }
    } catch (cause) {
      thread = undefined;
      rejectQueued(
        isClosed
          ? closedError()
          : new GatewayError('PLANNING_FAILED', 'The query planner could not be started again.', { cause }),
      );
    }
    driving = undefined;
  };

  const settle = (job: Job, outcome: PlanOutcome): void => {
    switch (outcome.kind) {
      case 'planned':
        job.resolve(outcome.plan);
        break;
      case 'failed':
        job.reject(
          outcome.isTooComplex
            ? new GatewayError('OPERATION_TOO_COMPLEX', 'The operation is too complex to be planned.', {
                cause: new Error(outcome.message),
              })
            : planningFailed(new Error(outcome.message)),
        );
        break;
      case 'lost':
        job.reject(isClosed ? closedError() : lossError(outcome.reason, options));
        break;
    }
  };

  return {
    apiSchemaSdl: first.apiSchemaSdl,
    subgraphs: first.subgraphs,
    overrides: first.overrides,
    plan,
    close: async () => {
      isClosed = true;
      rejectQueued(closedError());
      closing.abort();
      await thread?.end();
      await driving;
      // One that was just started when the planner was closed.
      await thread?.end();
    },
  };
}

function lossError(reason: LossReason, limits: PlanningLimits): GatewayError {
  switch (reason.kind) {
    case 'time':
      return new GatewayError(
        'OPERATION_TOO_COMPLEX',
        `The operation is too complex: planning it took longer than ${limits.timeoutMs} ms.`,
      );
    case 'memory':
      return new GatewayError(
        'OPERATION_TOO_COMPLEX',
        `The operation is too complex: planning it took more than ${Math.ceil(limits.memoryBytes / 1024 ** 2)} MB.`,
      );
    case 'crash':
      return planningFailed(reason.error);
    case 'ended':
      return planningFailed(new Error("the planner's thread ended"));
  }
}

function planningFailed(cause: unknown): GatewayError {
  return new GatewayError('PLANNING_FAILED', 'The operation could not be planned.', { cause });
}

function closedError(): GatewayError {
  return new GatewayError('PLANNING_FAILED', 'The query planner was closed.');
}
