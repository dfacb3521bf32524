import { checkPlanCompatibility, type PlanCompatibility } from '../graph/checkPlanCompatibility.ts';
import { determineDeployment } from '../graph/determineDeployment.ts';
import type { PlannedGraph } from '../graph/planConsumerOperations.ts';

/** Compares plans and subgraphs when running gateways may have been composed from other versions than the running
 *  subgraphs: the plans of the gateways are checked against the new subgraphs, and the new plans against the running
 *  subgraphs. */
export function checkRolloutCompatibility(
  old: PlannedGraph,
  gateway: PlannedGraph,
  next: PlannedGraph,
): readonly PlanCompatibility[] {
  const ofSubgraphs = byOperationAndSubgraph(checkPlanCompatibility(old, next));
  const ofGateways =
    gateway === old ? ofSubgraphs : byOperationAndSubgraph(checkPlanCompatibility(gateway, next));
  return [...new Map([...ofGateways, ...ofSubgraphs])].map(([key, { operation, subgraph }]) => {
    // A gateway without a plan that fetches from the changed subgraph has no problem with it.
    const oldPlanProblems = ofGateways.get(key)?.oldPlanProblems ?? [];
    // Consumers keep sending the variables that they send now, and the old subgraph accepts those.
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
