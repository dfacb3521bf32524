import { diffSubgraph } from '../../../../gateway/contracts/diff/diffSubgraph.ts';
import type { Finding } from '../../../../gateway/contracts/finding.ts';
import { composeContracts, loadGraph } from '../../../../gateway/contracts/graph/composeGraph.ts';
import { type PlannedGraph, planConsumers } from '../../../../gateway/contracts/graph/planConsumers.ts';
import { judgeChange } from '../../../../gateway/contracts/judge/judgeChange.ts';
import { judgeUncomposed } from '../../../../gateway/contracts/judge/judgeUncomposed.ts';
import { loadInProcess } from '../../../harness/loadInProcess.ts';
import { composeOnce } from '../../../harness/shared/compositions.ts';
import { type Contracts, consumerOperations, goldenServing } from './goldenGraph.ts';

/** What a check does with contracts, and what it finds. */
export async function checkContractsAgainst(old: PlannedGraph, next: Contracts): Promise<readonly Finding[]> {
  const names = new Set([...old.graph.contracts.keys(), ...next.keys()]);
  const changes: Finding[] = [];
  for (const name of names)
    changes.push(...(await diffSubgraph(old.graph.contracts.get(name), next.get(name))));
  const planned = await planContracts(next);
  const operations = consumerOperations;
  return 'findings' in planned
    ? judgeUncomposed({ changes, gateway: old, next, refusals: planned.findings, operations })
    : judgeChange({ changes, old, gateway: old, next: planned, operations, serving: goldenServing });
}

export async function planContracts(
  contracts: Contracts,
): Promise<PlannedGraph | { readonly findings: readonly Finding[] }> {
  const composed = await loadGraph(contracts, await composeContracts(contracts, composeOnce), loadInProcess);
  if ('findings' in composed) return composed;
  const { graph } = composed;
  try {
    return { graph, plans: await planConsumers(graph, consumerOperations, { serving: goldenServing }) };
  } finally {
    await graph.supergraph.planner.close();
  }
}
