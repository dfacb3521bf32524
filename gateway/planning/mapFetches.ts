import type { FetchNode, FlattenNode, PlanNode, QueryPlan } from './queryPlan.ts';

/** The plan with each fetch node exchanged, and the parts of the paths of its flatten nodes. */
export function mapFetches(
  plan: QueryPlan,
  change: (fetch: FetchNode) => PlanNode,
  changePart?: (part: string) => string,
): QueryPlan {
  const { node } = plan;
  if (node === undefined) return plan;
  if (node.kind !== 'Subscription') return { ...plan, node: mapNode(node) };
  return { ...plan, node: node.rest === undefined ? node : { ...node, rest: mapNode(node.rest) } };

  function mapNode(current: PlanNode): PlanNode {
    switch (current.kind) {
      case 'Fetch':
        return change(current);
      case 'Sequence':
      case 'Parallel':
        return { ...current, nodes: current.nodes.map(mapNode) };
      case 'Flatten':
        return { ...current, path: mapPath(current.path), node: mapNode(current.node) };
      case 'Condition': {
        const { ifClause, elseClause, ...rest } = current;
        return {
          ...rest,
          ...(ifClause === undefined ? {} : { ifClause: mapNode(ifClause) }),
          ...(elseClause === undefined ? {} : { elseClause: mapNode(elseClause) }),
        };
      }
      case 'Defer':
        return {
          ...current,
          primary: mapBlock(current.primary),
          deferred: current.deferred.map(mapBlock),
        };
    }
  }

  function mapPath(path: FlattenNode['path']): FlattenNode['path'] {
    if (changePart === undefined) return path;
    return path.map((part) => (typeof part === 'string' ? changePart(part) : part));
  }

  function mapBlock<B extends { readonly node?: PlanNode }>(block: B): B {
    return block.node === undefined ? block : { ...block, node: mapNode(block.node) };
  }
}
