import type { GatewayConfig } from '../config/schema.ts';
import type { PlanningLimits } from './workerPlanner.ts';

/** Planning limits from the section `planning` of the configuration. */
export function toPlanningLimits(planning: GatewayConfig['planning']): PlanningLimits {
  return {
    timeoutMs: planning.timeout,
    splitTimeoutMs: planning.splitTimeout,
    memoryBytes: planning.memory,
    maxEvaluatedPlans: planning.maxEvaluatedPlans,
    pathsLimit: planning.pathsLimit,
    threads: planning.threads,
    spareAfterMs: 250,
    maxWaiting: planning.maxWaiting,
    maxWaitingCharacters: 32_000_000,
    // The same number as plans, because a refusal takes a small fraction of the memory of a plan.
    maxRefusals: planning.cacheSize,
  };
}
