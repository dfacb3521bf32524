import { checkPlanContracts, type PlanContract } from '../graph/checkPlanContracts.ts';
import { deploymentFor } from '../graph/deploymentFor.ts';
import type { PlannedGraph } from '../graph/planConsumers.ts';

/** Plan contracts where the gateways that run may have been composed from something else than the subgraphs that run:
 *  the old plans are the gateways', and the new plans are checked against the old subgraphs. */
export function planContractsBetween(
  old: PlannedGraph,
  gateway: PlannedGraph,
  next: PlannedGraph,
): readonly PlanContract[] {
  const ofSubgraphs = byOperationAndSubgraph(checkPlanContracts(old, next));
  const ofGateways =
    gateway === old ? ofSubgraphs : byOperationAndSubgraph(checkPlanContracts(gateway, next));
  return [...new Map([...ofGateways, ...ofSubgraphs])].map(([key, { operation, subgraph }]) => {
    // Where gateways have no plan that meets a changed subgraph, nothing is wrong with their plans.
    const oldPlans = ofGateways.get(key)?.oldPlans ?? [];
    // Consumers send what they have sent so far, which the old subgraph takes.
    const newPlans = (ofSubgraphs.get(key)?.newPlans ?? []).filter(({ kind }) => kind !== 'input');
    const isRefused = next.plans.get(operation)?.kind === 'failed';
    const deployment = deploymentFor({ subgraph, oldPlans, newPlans, isRefused });
    return { operation, subgraph, oldPlans, newPlans, deployment };
  });
}

function byOperationAndSubgraph(contracts: readonly PlanContract[]): ReadonlyMap<string, PlanContract> {
  return new Map(
    contracts.map((contract) => {
      const { operation, subgraph } = contract;
      return [JSON.stringify([operation.consumer, operation.name, subgraph]), contract];
    }),
  );
}
