import { GatewayError } from '../errors.ts';
import { systemTimers } from '../time/timers.ts';
import type { OverrideLabels } from './overrideLabels.ts';
import type { Planner, PlanRequest } from './planner.ts';
import { PlannerPool, type PlannerPoolLimits, type PoolOutcome } from './plannerPool.ts';
import {
  type PlannerThreadOptions,
  type StartPlannerThread,
  startPlannerThread,
  type ThreadLossReason,
} from './plannerThread.ts';
import type { QueryPlan } from './queryPlan.ts';
import { RefusedOperations } from './refusedOperations.ts';

/** Limits of planning: what one operation, one thread and one supergraph may take. */
export interface PlanningLimits extends PlannerPoolLimits {
  /** Largest heap of one thread, in bytes. */
  readonly memoryBytes: number;
  readonly maxEvaluatedPlans: number;
  readonly pathsLimit: number;
  /** Longest that one plan may take that its asker can do without, in milliseconds of the thread's own time. */
  readonly splitTimeoutMs: number;
  /** How long an operation that went beyond a limit is refused without being tried again, in milliseconds. */
  readonly refusalTtlMs: number;
  /** Most operations that are remembered as refused. */
  readonly maxRefusals: number;
}

export interface WorkerPlannerOptions extends PlanningLimits {
  readonly sdl: string;
  /** Ends the loading; the returned promise is rejected with the signal's reason. Unused once it is loaded. */
  readonly signal?: AbortSignal | undefined;
  readonly startThread?: StartPlannerThread | undefined;
}

export interface WorkerPlanner extends Planner {
  /** SDL of what clients see, with the definition of `@defer`. */
  readonly apiSchemaSdl: string;
  /** As the supergraph names them; a URL may be empty. */
  readonly subgraphs: readonly { readonly name: string; readonly url: string }[];
  readonly overrides: OverrideLabels;
}

/** A planner in threads of its own, so that no operation stops the event loop. Equal requests under way share one
 *  plan. A plan that is over its time or memory ends its thread and fails its request, and the same request is
 *  refused at once for a while.
 *  Errors: an `Error` with the loader's message where the supergraph cannot be loaded. */
export async function createWorkerPlanner(options: WorkerPlannerOptions): Promise<WorkerPlanner> {
  const { sdl, memoryBytes, maxEvaluatedPlans, pathsLimit, splitTimeoutMs } = options;
  const startThread = options.startThread ?? startPlannerThread;
  const threadOptions: PlannerThreadOptions = {
    sdl,
    memoryBytes,
    maxEvaluatedPlans,
    pathsLimit,
    splitTimeoutMs,
  };
  const first = await startThread(threadOptions, options.signal);
  const pool = new PlannerPool({
    limits: options,
    initialThread: first,
    startThread: (signal) => startThread(threadOptions, signal),
    timers: systemTimers,
  });
  const underWay = new Map<string, Promise<QueryPlan>>();
  const refused = new RefusedOperations({ maxEntries: options.maxRefusals, ttlMs: options.refusalTtlMs });

  const planAnew = async (request: PlanRequest, key: string): Promise<QueryPlan> => {
    const outcome = await pool.plan(request);
    if (outcome.kind === 'planned') return outcome.plan;
    const error = toGatewayError(outcome, options);
    if (error.code === 'OPERATION_TOO_COMPLEX') refused.add(key, error);
    throw error;
  };

  return {
    apiSchemaSdl: first.apiSchemaSdl,
    subgraphs: first.subgraphs,
    overrides: first.overrides,
    plan: (request) => {
      const key = keyOf(request);
      const known = underWay.get(key);
      if (known !== undefined) return known;
      const refusal = refused.find(key);
      if (refusal !== undefined) return Promise.reject(refusal);
      const promise = planAnew(request, key).finally(() => underWay.delete(key));
      underWay.set(key, promise);
      return promise;
    },
    close: () => pool.close(),
  };
}

function keyOf({ document, shouldSplitDefer, overrides = [], isOptional = false }: PlanRequest): string {
  return `${shouldSplitDefer ? 'defer' : 'whole'}${isOptional ? '?' : ''} ${JSON.stringify(overrides)} ${document}`;
}

function toGatewayError(
  outcome: Exclude<PoolOutcome, { kind: 'planned' }>,
  limits: PlanningLimits,
): GatewayError {
  switch (outcome.kind) {
    case 'failed':
      return outcome.exceeded === undefined
        ? planningFailed(new Error(outcome.message))
        : new GatewayError(
            'OPERATION_TOO_COMPLEX',
            `The operation is too complex to be planned: ${outcome.exceeded}.`,
            { cause: new Error(outcome.message) },
          );
    case 'lost':
      return threadLossError(outcome.reason, limits);
    case 'overloaded':
      return new GatewayError('OVERLOADED', 'Too many operations wait to be planned. Try again in a moment.');
    case 'unavailable':
      return new GatewayError('PLANNING_FAILED', 'The query planner could not be started again.', {
        cause: outcome.cause,
      });
    case 'closed':
      return new GatewayError('PLANNING_FAILED', 'The query planner was closed.');
  }
}

function threadLossError(reason: ThreadLossReason, { timeoutMs, memoryBytes }: PlanningLimits): GatewayError {
  switch (reason.kind) {
    case 'time':
      return new GatewayError(
        'OPERATION_TOO_COMPLEX',
        `The operation is too complex: planning it took longer than ${timeoutMs} ms (planning.timeout).`,
        { extensions: { limit: 'planning.timeout', allowed: timeoutMs } },
      );
    case 'memory':
      return new GatewayError(
        'OPERATION_TOO_COMPLEX',
        `The operation is too complex: planning it took more than ${Math.ceil(memoryBytes / 1024 ** 2)} MB (planning.memory).`,
        { extensions: { limit: 'planning.memory', allowed: memoryBytes } },
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
