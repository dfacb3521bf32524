import type { PlanNode, QueryPlan } from '../../gateway/planning/queryPlan.ts';

/** How many fetches the first answer of a query or mutation waits for that wait for each other, with every condition as
 *  it takes the most; `undefined` for a subscription, which has no first answer to wait for. */
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
    case 'Condition':
      return Math.max(
        0,
        ...[node.ifClause, node.elseClause].map((clause) => (clause === undefined ? 0 : depthOf(clause))),
      );
    case 'Defer':
      return node.primary.node === undefined ? 0 : depthOf(node.primary.node);
  }
}

/** Whether the planner has told what is deferred apart. */
export function hasDeferNode({ node }: QueryPlan): boolean {
  const has = (one: PlanNode): boolean =>
    one.kind === 'Defer' ||
    ('nodes' in one && one.nodes.some(has)) ||
    ('node' in one && has(one.node)) ||
    (one.kind === 'Condition' &&
      [one.ifClause, one.elseClause].some((clause) => clause !== undefined && has(clause)));
  return node !== undefined && node.kind !== 'Subscription' && has(node);
}
