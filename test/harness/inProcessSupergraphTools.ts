import type { SupergraphTools } from '../../contracts/graph/composeGraph.ts';
import { loadSupergraphInProcess } from './loadSupergraphInProcess.ts';
import { composeOnce } from './shared/compositions.ts';

/** The gateway's composer and planner for the contract checker, without threads. All suites of a worker share
 *  compositions and planners. */
export const inProcessSupergraphTools: SupergraphTools = {
  compose: composeOnce,
  load: loadSupergraphInProcess,
};
