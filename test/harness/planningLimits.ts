import { parseConfig } from '../../gateway/config/parseConfig.ts';
import { planningLimits } from '../../gateway/planning/planningLimits.ts';
import type { PlanningLimits } from '../../gateway/planning/workerPlanner.ts';

/** The defaults, with more time: a machine that runs tests is busy. */
export const testPlanning: PlanningLimits = {
  ...planningLimits(parseConfig({ supergraph: { file: 'unused' } }).planning),
  timeoutMs: 20_000,
};
