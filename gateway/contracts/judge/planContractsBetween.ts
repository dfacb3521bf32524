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
  const contracts = checkPlanContracts(old, next);
  const ofGateways = new Map(
    (gateway === old ? contracts : checkPlanContracts(gateway, next)).map(
      (contract) => [keyOf(contract), contract] as const,
    ),
  );
  return contracts.map((contract) => {
    const { operation, subgraph } = contract;
    const oldPlans = ofGateways.get(keyOf(contract))?.oldPlans ?? contract.oldPlans;
    // Consumers send what they have sent so far, which the old subgraph takes.
    const newPlans = contract.newPlans.filter(({ kind }) => kind !== 'input');
    const isRefused = next.plans.get(operation)?.kind === 'failed';
    const deployment = deploymentFor({ subgraph, oldPlans, newPlans, isRefused });
    return { operation, subgraph, oldPlans, newPlans, deployment };
  });
}

function keyOf({ operation: { consumer, name }, subgraph }: PlanContract): string {
  return JSON.stringify([consumer, name, subgraph]);
}
