import { loadSupergraph } from '../../gateway/supergraph/loadSupergraph.ts';
import type { Supergraph } from '../../gateway/supergraph/supergraph.ts';
import { planInProcess } from './inProcessPlanner.ts';
import { testPlanningLimits } from './testPlanningLimits.ts';

/** `loadSupergraph` with a planner without a thread. */
export function loadSupergraphInProcess(sdl: string): Promise<Supergraph> {
  return loadSupergraph({ sdl, planning: testPlanningLimits, startThread: planInProcess });
}
