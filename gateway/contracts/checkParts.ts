import { diffSubgraph } from './diff/diffSubgraph.ts';
import { bootGraph } from './graph/bootGraph.ts';
import { composeContracts, loadGraph } from './graph/composeGraph.ts';
import { planConsumers } from './graph/planConsumers.ts';
import { judgeChange } from './judge/judgeChange.ts';
import { judgeUncomposed } from './judge/judgeUncomposed.ts';
import type { CheckParts } from './parts.ts';

/** The parts of a check that really checks. */
export const checkParts: CheckParts = {
  diffSubgraph,
  composeContracts,
  loadGraph,
  bootGraph,
  planConsumers,
  judgeChange,
  judgeUncomposed,
};
