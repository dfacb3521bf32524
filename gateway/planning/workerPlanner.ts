import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { GatewayError } from '../errors.ts';
import { systemTimers } from '../time/timers.ts';
import type { Planner, PlanRequest, SupergraphSummary } from './planner.ts';
import { PlannerPool, type PlannerPoolLimits, type PoolOutcome } from './plannerPool.ts';
import {
  type PlannerThreadOptions,
  type StartPlannerThread,
  startPlannerThread,
  type ThreadLossReason,
} from './plannerThread.ts';
import type { QueryPlan } from './queryPlan.ts';

/** Limits of planning for one operation, one thread and one supergraph. */
export interface PlanningLimits extends PlannerPoolLimits {
  /** Maximum heap of one thread in bytes. */
  readonly memoryBytes: number;
  readonly maxEvaluatedPlans: number;
  readonly pathsLimit: number;
  /** Maximum time for splitting a plan, in milliseconds of CPU time of the thread. */
  readonly splitTimeoutMs: number;
  /** Maximum number of refused operations that are remembered. */
  readonly maxRefusals: number;
}

export interface WorkerPlannerOptions extends PlanningLimits {
  readonly sdl: string;
  /** Aborts loading, and has no effect afterwards. */
  readonly signal?: AbortSignal | undefined;
  readonly startThread?: StartPlannerThread | undefined;
  /** Called when a thread fails and no operation is at fault. The planner starts another one. */
  readonly onThreadFailure?: ((cause: unknown) => void) | undefined;
}

export interface WorkerPlanner extends Planner, SupergraphSummary {}

/** Creates a planner that runs in worker threads, so that planning does not block the event loop. Equal requests in flight
 *  share one plan. A plan that exceeds its time or memory limit ends its thread and fails its request; the same request
 *  is then refused without planning for `refusalTtlMs`.
 *  @throws {Error} with the loader's message when the supergraph cannot be loaded, or the reason of `signal`. */
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
    onThreadFailure: options.onThreadFailure ?? (() => {}),
  });
  const inFlight = new Map<string, Promise<QueryPlan>>();
  const refused = new RefusedOperations(options);

  const planInPool = async (request: PlanRequest, key: string): Promise<QueryPlan> => {
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
    names: first.names,
    plan: (request) => {
      const key = keyOf(request);
      const known = inFlight.get(key);
      if (known !== undefined) return known;
      const refusal = refused.find(key);
      if (refusal !== undefined) return Promise.reject(refusal);
      const promise = planInPool(request, key).finally(() => inFlight.delete(key));
      inFlight.set(key, promise);
      return promise;
    },
    close: () => pool.close(),
  };
}

/** Time for which an operation that exceeded a limit is refused without being planned again. */
const refusalTtlMs = 5 * 60_000;

/** Errors of operations that exceeded a planning limit, for repeated requests. Entries expire, because the machine may
 *  have been busy during the first attempt. Stores a hash of each operation instead of its text. */
class RefusedOperations {
  readonly #errors: LRUCache<string, GatewayError>;

  constructor({ maxRefusals }: PlanningLimits) {
    this.#errors = new LRUCache({ max: maxRefusals, ttl: refusalTtlMs });
  }

  find(key: string): GatewayError | undefined {
    return this.#errors.size === 0 ? undefined : this.#errors.get(hash(key));
  }

  add(key: string, error: GatewayError): void {
    this.#errors.set(hash(key), error);
  }
}

function hash(key: string): string {
  return createHash('sha256').update(key).digest('base64');
}

function keyOf({ document, shouldSplitDefer, overrides = [] }: PlanRequest): string {
  return `${shouldSplitDefer ? 'defer' : 'whole'} ${JSON.stringify(overrides)} ${document}`;
}

function toGatewayError(
  outcome: Exclude<PoolOutcome, { kind: 'planned' }>,
  limits: PlanningLimits,
): GatewayError {
  switch (outcome.kind) {
    case 'failed':
      return outcome.exceeded === undefined
        ? planningFailedError(new Error(outcome.message))
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
      return planningFailedError(reason.error);
    case 'ended':
      return planningFailedError(new Error('the planner thread exited'));
  }
}

function planningFailedError(cause: unknown): GatewayError {
  return new GatewayError('PLANNING_FAILED', 'The operation could not be planned.', { cause });
}
