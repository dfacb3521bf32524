import { parseConfig } from '../../gateway/config/parseConfig.ts';
import { toPlanningLimits } from '../../gateway/planning/toPlanningLimits.ts';
import type { PlanningLimits } from '../../gateway/planning/workerPlanner.ts';

/** The default limits with more time, for a busy machine. */
export const testPlanningLimits: PlanningLimits = {
  ...toPlanningLimits(parseConfig({ supergraph: { file: 'unused' } }).planning),
  timeoutMs: 20_000,
  splitTimeoutMs: 20_000,
};
