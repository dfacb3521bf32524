import type { PlanNode, QueryPlan } from '../../gateway/planning/queryPlan.ts';
import type { PlannedFetch } from './flattenPlan.ts';

/** What answering an operation takes, with every condition at its most expensive. */
export interface PlanCost {
  readonly fetches: number;
  /** The longest chain of fetches that wait for each other: how often the answer pays the network latency. */
  readonly depth: number;
  readonly subgraphs: number;
}

export function planCostOf(fetches: readonly PlannedFetch[]): PlanCost {
  const depths: number[] = [];
  for (const { dependsOn } of fetches) {
    depths.push(1 + Math.max(0, ...dependsOn.map((index) => depths[index] ?? 0)));
  }
  return {
    fetches: fetches.length,
    depth: Math.max(0, ...depths),
    subgraphs: new Set(fetches.map(({ subgraph }) => subgraph)).size,
  };
}

export function maxPlanCost(costs: readonly PlanCost[]): PlanCost {
  return {
    fetches: Math.max(0, ...costs.map(({ fetches }) => fetches)),
    depth: Math.max(0, ...costs.map(({ depth }) => depth)),
    subgraphs: Math.max(0, ...costs.map(({ subgraphs }) => subgraphs)),
  };
}

/** The longest chain of fetches that the first response of a query or mutation waits for; `undefined` for a subscription,
 *  which has no first response to wait for. */
export function firstResponseDepthOf({ node }: QueryPlan): number | undefined {
  if (node?.kind === 'Subscription') return undefined;
  return node === undefined ? 0 : depthOf(node);
}

function depthOf(node: PlanNode): number {
  switch (node.kind) {
    case 'Fetch':
      return 1;
    case 'Flatten':
      return depthOf(node.node);
    case 'Sequence':
      return node.nodes.reduce((sum, child) => sum + depthOf(child), 0);
    case 'Parallel':
      return Math.max(0, ...node.nodes.map(depthOf));
    case 'Defer':
      return node.primary.node === undefined ? 0 : depthOf(node.primary.node);
  }
}

/** Whether the planner has separated the deferred parts. */
export function hasDeferNode({ node }: QueryPlan): boolean {
  const has = (child: PlanNode): boolean =>
    child.kind === 'Defer' ||
    ('nodes' in child && child.nodes.some(has)) ||
    ('node' in child && has(child.node));
  return node !== undefined && node.kind !== 'Subscription' && has(node);
}
