import type { CheckSteps } from './checkSteps.ts';
import { diffSubgraph } from './diff/diffSubgraph.ts';
import { evaluateChange } from './evaluation/evaluateChange.ts';
import { evaluateUncomposableChange } from './evaluation/evaluateUncomposableChange.ts';
import { bootGateway, type StartGateway } from './graph/bootGateway.ts';
import { composeContracts, loadGraph, type SupergraphTools } from './graph/composeGraph.ts';
import { planConsumerOperations } from './graph/planConsumerOperations.ts';

/** What the checker needs from a gateway. The checker imports no gateway, so that the gateway can import the checker. */
interface CheckedGateway {
  readonly supergraphTools: SupergraphTools;
  readonly startGateway: StartGateway;
}

/** The steps of a check that composes, plans and starts a gateway for real. */
export function createCheckSteps({ supergraphTools, startGateway }: CheckedGateway): CheckSteps {
  return {
    diffSubgraph,
    composeContracts: (contracts) => composeContracts(contracts, supergraphTools),
    loadGraph: (contracts, composed, { planningMemory }) =>
      loadGraph(contracts, composed, supergraphTools, planningMemory),
    bootGateway: (graph, operations, gatewaySettings) =>
      bootGateway(graph, operations, startGateway, gatewaySettings),
    planConsumerOperations,
    evaluateChange,
    evaluateUncomposableChange,
  };
}
