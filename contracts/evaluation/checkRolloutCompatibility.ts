import { checkPlanCompatibility, type PlanCompatibility } from '../graph/checkPlanCompatibility.ts';
import { determineDeployment } from '../graph/determineDeployment.ts';
import type { PlannedGraph } from '../graph/planConsumerOperations.ts';

/** Plan contracts where the gateways that run may have been composed from something else than the subgraphs that run:
 *  the old plans are the gateways', and the new plans are checked against the old subgraphs. */
export function checkRolloutCompatibility(
  old: PlannedGraph,
  gateway: PlannedGraph,
  next: PlannedGraph,
): readonly PlanCompatibility[] {
  const ofSubgraphs = byOperationAndSubgraph(checkPlanCompatibility(old, next));
  const ofGateways =
    gateway === old ? ofSubgraphs : byOperationAndSubgraph(checkPlanCompatibility(gateway, next));
  return [...new Map([...ofGateways, ...ofSubgraphs])].map(([key, { operation, subgraph }]) => {
    // Where gateways have no plan that meets a changed subgraph, nothing is wrong with their plans.
    const oldPlanProblems = ofGateways.get(key)?.oldPlanProblems ?? [];
    // Consumers send what they have sent so far, which the old subgraph takes.
    const newPlanProblems = (ofSubgraphs.get(key)?.newPlanProblems ?? []).filter(
      ({ kind }) => kind !== 'input',
    );
    const isRefused = next.plans.get(operation)?.kind === 'failed';
    const deployment = determineDeployment({
      subgraph,
      oldPlanProblems,
      newPlanProblems,
      isRefused,
    });
    return { operation, subgraph, oldPlanProblems, newPlanProblems, deployment };
  });
}

function byOperationAndSubgraph(
  contracts: readonly PlanCompatibility[],
): ReadonlyMap<string, PlanCompatibility> {
  return new Map(
    contracts.map((contract) => {
      const { operation, subgraph } = contract;
      return [JSON.stringify([operation.consumer, operation.name, subgraph]), contract];
    }),
  );
}
