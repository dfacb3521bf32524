import type { ConsumerOperation } from '../../../../contracts/contractStore.ts';
import { diffSubgraph } from '../../../../contracts/diff/diffSubgraph.ts';
import { evaluateChange } from '../../../../contracts/evaluation/evaluateChange.ts';
import { evaluateUncomposableChange } from '../../../../contracts/evaluation/evaluateUncomposableChange.ts';
import type { Finding } from '../../../../contracts/finding.ts';
import { composeGraph } from '../../../../contracts/graph/composeGraph.ts';
import {
  type PlannedGraph,
  planConsumerOperations,
} from '../../../../contracts/graph/planConsumerOperations.ts';
import { inProcessSupergraphTools } from '../../../harness/inProcessSupergraphTools.ts';
import { type Contracts, goldenGatewayConfig } from './goldenGraph.ts';

/** Runs the steps of a check on contracts and returns the findings. The operations are those of `old`. */
export async function checkContractsAgainst(old: PlannedGraph, next: Contracts): Promise<readonly Finding[]> {
  const operations = [...old.plans.keys()];
  const names = new Set([...old.graph.contracts.keys(), ...next.keys()]);
  const changes: Finding[] = [];
  for (const name of names)
    changes.push(...(await diffSubgraph(old.graph.contracts.get(name), next.get(name))));
  const planned = await planContracts(next, operations, old);
  return 'findings' in planned
    ? evaluateUncomposableChange({
        changes,
        gateway: old,
        next,
        compositionFindings: planned.findings,
        operations,
      })
    : evaluateChange({
        changes,
        old,
        gateway: old,
        next: planned,
        operations,
        gatewaySettings: goldenGatewayConfig,
      });
}

export async function planContracts(
  contracts: Contracts,
  operations: readonly ConsumerOperation[],
  known?: PlannedGraph,
): Promise<PlannedGraph | { readonly findings: readonly Finding[] }> {
  const composed = await composeGraph(contracts, inProcessSupergraphTools);
  if ('findings' in composed) return composed;
  const { graph } = composed;
  try {
    return {
      graph,
      plans: await planConsumerOperations(graph, operations, {
        gatewaySettings: goldenGatewayConfig,
        known,
      }),
    };
  } finally {
    await graph.supergraph.planner.close();
  }
}
