import type { CheckDependencies } from './checkDependencies.ts';
import { diffSubgraph } from './diff/diffSubgraph.ts';
import { evaluateChange } from './evaluation/evaluateChange.ts';
import { evaluateUncomposableChange } from './evaluation/evaluateUncomposableChange.ts';
import { bootGateway } from './graph/bootGateway.ts';
import { composeContracts, loadGraph } from './graph/composeGraph.ts';
import { planConsumerOperations } from './graph/planConsumerOperations.ts';

/** The parts of a check that really checks. */
export const defaultCheckDependencies: CheckDependencies = {
  diffSubgraph,
  composeContracts,
  loadGraph,
  bootGateway,
  planConsumerOperations,
  evaluateChange,
  evaluateUncomposableChange,
};
