import { parseConfig } from '../../gateway/config/parseConfig.ts';
import { toPlanningLimits } from '../../gateway/planning/toPlanningLimits.ts';
import type { PlanningLimits } from '../../gateway/planning/workerPlanner.ts';

/** The defaults, with more time: a machine that runs tests is busy. */
export const testPlanningLimits: PlanningLimits = {
  ...toPlanningLimits(parseConfig({ supergraph: { file: 'unused' } }).planning),
  timeoutMs: 20_000,
};
