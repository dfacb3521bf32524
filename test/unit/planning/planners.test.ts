import { GatewayError } from '../../../gateway/errors.ts';
import type { Planner } from '../../../gateway/planning/planner.ts';
import { createWorkerPlanner } from '../../../gateway/planning/workerPlanner.ts';
import { describePlannerContract } from '../../harness/plannerContract.ts';
import { createSingleSubgraphPlanner } from '../../harness/plannerDouble.ts';
import { composeTwoSubgraphShelf, createSingleSubgraphShelf } from '../../harness/shelfGraphs.ts';
import { testPlanningLimits } from '../../harness/testPlanningLimits.ts';

const shelf = await composeTwoSubgraphShelf();
const apollo = (sdl: string) => createWorkerPlanner({ sdl, ...testPlanningLimits });

describePlannerContract('the worker planner', shelf, apollo);

describePlannerContract('a planner without support for @defer', shelf, async (sdl): Promise<Planner> => {
  const planner = await apollo(sdl);
  return {
    close: () => planner.close(),
    plan: async (request) => {
      if (request.shouldSplitDefer) throw new GatewayError('PLANNING_FAILED', '@defer is not supported.');
      return planner.plan(request);
    },
  };
});

describePlannerContract('the planner double for one subgraph', createSingleSubgraphShelf(), async () =>
  createSingleSubgraphPlanner('shelf'),
);
