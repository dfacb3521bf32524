import { loadSupergraph } from '../../gateway/supergraph/loadSupergraph.ts';
import type { Supergraph } from '../../gateway/supergraph/supergraph.ts';
import { planInProcess } from './plannerInProcess.ts';
import { testPlanning } from './planningLimits.ts';

/** `loadSupergraph` with a planner that has no thread of its own. */
export function loadInProcess(sdl: string): Promise<Supergraph> {
  return loadSupergraph({ sdl, planning: testPlanning, startThread: planInProcess });
}
