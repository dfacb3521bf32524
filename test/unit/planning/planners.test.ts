import type { Planner } from '../../../gateway/planning/planner.ts';
import { createWorkerPlanner } from '../../../gateway/planning/workerPlanner.ts';
import { oneSubgraphShelf, twoSubgraphShelf } from '../../fixtures/supergraphs/shelf.ts';
import { oneSubgraphPlanner } from '../../harness/plannerDouble.ts';
import { testPlanning } from '../../harness/planningLimits.ts';
import { plannerContract } from './plannerContract.ts';

const shelf = await twoSubgraphShelf();
const apollo = (sdl: string) => createWorkerPlanner({ sdl, ...testPlanning });

plannerContract("Apollo's planner in threads", shelf, apollo);

plannerContract('one that does not know @defer', shelf, async (sdl): Promise<Planner> => {
  const planner = await apollo(sdl);
  return {
    supportsDefer: false,
    close: () => planner.close(),
    plan: (request) => {
      if (request.document.includes('@defer')) throw new Error('It was told not to be asked this.');
      return planner.plan(request);
    },
  };
});

plannerContract('a double for one subgraph', oneSubgraphShelf(), async () => oneSubgraphPlanner('shelf'));
