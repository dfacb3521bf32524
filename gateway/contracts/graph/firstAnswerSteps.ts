import type { PlanNode, QueryPlan } from '../../planning/queryPlan.ts';

/** How many fetches the first answer of a query or mutation waits for that wait for each other, with every condition as
 *  it takes the most; `undefined` for a subscription, which has no first answer to wait for. */
export function firstAnswerSteps({ node }: QueryPlan): number | undefined {
  if (node?.kind === 'Subscription') return undefined;
  return node === undefined ? 0 : stepsOf(node);
}

function stepsOf(node: PlanNode): number {
  switch (node.kind) {
    case 'Fetch':
      return 1;
    case 'Flatten':
      return stepsOf(node.node);
    case 'Sequence':
      return node.nodes.reduce((sum, child) => sum + stepsOf(child), 0);
    case 'Parallel':
      return Math.max(0, ...node.nodes.map(stepsOf));
    case 'Condition':
      return Math.max(
        0,
        ...[node.ifClause, node.elseClause].map((clause) => (clause === undefined ? 0 : stepsOf(clause))),
      );
    case 'Defer':
      return node.primary.node === undefined ? 0 : stepsOf(node.primary.node);
  }
}

/** Whether the planner has told what is deferred apart. */
export function isSplit({ node }: QueryPlan): boolean {
  const has = (one: PlanNode): boolean =>
    one.kind === 'Defer' ||
    ('nodes' in one && one.nodes.some(has)) ||
    ('node' in one && has(one.node)) ||
    (one.kind === 'Condition' &&
      [one.ifClause, one.elseClause].some((clause) => clause !== undefined && has(clause)));
  return node !== undefined && node.kind !== 'Subscription' && has(node);
}
