import { GatewayError } from '../../gateway/errors.ts';
import { createApolloPlanner, describeLoadError } from '../../gateway/planning/apolloPlanner.ts';
import type { Planner } from '../../gateway/planning/planner.ts';
import type { WorkerPlanner } from '../../gateway/planning/workerPlanner.ts';
import { testPlanningLimits } from './testPlanningLimits.ts';

/** The planner without a thread of its own, for tests that load many supergraphs and plan little with each: a thread
 *  takes longer to start than all of that. Nothing ends a plan that takes long. Errors: an `Error` with the loader's
 *  message where the supergraph cannot be loaded. */
export function createInProcessPlanner(sdl: string): WorkerPlanner {
  const planner = load(sdl);
  const { apiSchemaSdl, subgraphs, overrides } = planner;
  const plan: Planner['plan'] = async (request) => {
    try {
      return planner.plan(request);
    } catch (cause) {
      throw new GatewayError('PLANNING_FAILED', 'The operation could not be planned.', { cause });
    }
  };
  return { apiSchemaSdl, subgraphs, overrides, plan, close: async () => {} };
}

function load(sdl: string) {
  try {
    return createApolloPlanner({ sdl, ...testPlanningLimits });
  } catch (error) {
    throw new Error(describeLoadError(error), { cause: error });
  }
}
