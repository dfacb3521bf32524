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
  const bySubgraphs = byOperationAndSubgraph(checkPlanCompatibility(old, next));
  const byGateways =
    gateway === old ? bySubgraphs : byOperationAndSubgraph(checkPlanCompatibility(gateway, next));
  return [...new Map([...byGateways, ...bySubgraphs])].map(([key, { operation, subgraph }]) => {
    // A gateway without a plan that fetches from the changed subgraph has no problem with it.
    const oldPlanProblems = byGateways.get(key)?.oldPlanProblems ?? [];
    // Consumers keep sending the variables that they send now, and the old subgraph accepts those.
    const newPlanProblems = (bySubgraphs.get(key)?.newPlanProblems ?? []).filter(
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
  compatibilities: readonly PlanCompatibility[],
): ReadonlyMap<string, PlanCompatibility> {
  return new Map(
    compatibilities.map((compatibility) => {
      const { operation, subgraph } = compatibility;
      return [JSON.stringify([operation.consumer, operation.name, subgraph]), compatibility];
    }),
  );
}
