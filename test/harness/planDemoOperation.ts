import { readFileSync } from 'node:fs';
import { getOperationAST, parse } from 'graphql';
import { InternalNames } from '../../gateway/operation/internalNames.ts';
import { normalizeOperation } from '../../gateway/operation/normalizeOperation.ts';
import { createPlannerInput, planOperation } from '../../gateway/operation/planOperation.ts';
import type { PlanNode, QueryPlan } from '../../gateway/planning/queryPlan.ts';
import type { Supergraph } from '../../gateway/supergraph/supergraph.ts';
import { loadSupergraphInProcess } from './loadSupergraphInProcess.ts';
import { demoSupergraphFile } from './testGateway.ts';
import type { Trial } from './trial.ts';

export function loadDemoSupergraph(): Promise<Supergraph> {
  return loadSupergraphInProcess(readFileSync(demoSupergraphFile, 'utf8'));
}

/** The plan with which the gateway executes the operation with these variables. */
export async function planDemoOperation(
  supergraph: Supergraph,
  { source, variables }: Trial,
): Promise<QueryPlan> {
  const document = parse(source);
  const operation = getOperationAST(document);
  if (operation == null) throw new Error(`More than one operation: ${source}`);
  const normalized = normalizeOperation({
    schema: supergraph.apiSchema,
    document,
    operation,
    booleanVariables: variables,
    internalNames: InternalNames.forSupergraph(supergraph),
    maxSelections: 2_000,
    isDeferEnabled: true,
  });
  const question = createPlannerInput(operation, normalized, []);
  if (question === undefined) return { kind: 'QueryPlan' };
  return (await planOperation(supergraph.planner, question)).plan;
}

/** Subgraphs that receive two concurrent entity fetches. */
export function concurrentlyFetchedSubgraphs(plan: QueryPlan): readonly string[] {
  const found = new Set<string>();
  if (plan.node !== undefined && plan.node.kind !== 'Subscription') visit(plan.node);
  return [...found].sort();

  function visit(node: PlanNode): void {
    if (node.kind === 'Sequence') node.nodes.forEach(visit);
    if (node.kind !== 'Parallel') return;
    const seen = new Set<string>();
    for (const child of node.nodes) {
      visit(child);
      const name = firstEntityFetch(child);
      if (name !== undefined && seen.has(name)) found.add(name);
      if (name !== undefined) seen.add(name);
    }
  }
}

/** The subgraph of the first fetch of a node, if that is an entity fetch. */
function firstEntityFetch(node: PlanNode): string | undefined {
  switch (node.kind) {
    case 'Sequence':
      return node.nodes[0] && firstEntityFetch(node.nodes[0]);
    case 'Flatten':
      return firstEntityFetch(node.node);
    case 'Fetch':
      return node.requires === undefined ? undefined : node.serviceName;
    default:
      return undefined;
  }
}
