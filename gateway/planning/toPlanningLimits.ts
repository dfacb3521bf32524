import type { GatewayConfig } from '../config/schema.ts';
import type { PlanningLimits } from './workerPlanner.ts';

/** The limits that the configuration sets. */
export function toPlanningLimits(planning: GatewayConfig['planning']): PlanningLimits {
  return {
    timeoutMs: planning.timeout,
    splitTimeoutMs: planning.splitTimeout,
    memoryBytes: planning.memory,
    maxEvaluatedPlans: planning.maxEvaluatedPlans,
    pathsLimit: planning.pathsLimit,
    threads: planning.threads,
    spareAfterMs: planning.spareAfter,
    spareIdleMs: planning.spareIdle,
    maxWaiting: planning.maxWaiting,
    maxWaitingCharacters: planning.maxWaitingText,
    refusalTtlMs: planning.refusalKept,
    // As many as there are plans: a refusal takes a small part of the memory of a plan.
    maxRefusals: planning.cacheSize,
  };
}
