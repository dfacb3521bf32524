import type { FetchNode, FlattenNode, PlanNode, QueryPlan, SubscriptionNode } from './queryPlan.ts';

/** Replaces each fetch node of a plan and, with `changePart`, each part of the paths of its flatten nodes. */
export function mapFetches(
  plan: QueryPlan,
  change: (fetch: FetchNode) => PlanNode,
  changePart?: (part: string) => string,
): QueryPlan {
  const { node } = plan;
  if (node === undefined) return plan;
  if (node.kind !== 'Subscription') return { ...plan, node: mapNode(node) };
  return { ...plan, node: mapSubscription(node) };

  function mapNode(current: PlanNode): PlanNode {
    switch (current.kind) {
      case 'Fetch':
        return change(current);
      case 'Sequence':
      case 'Parallel':
        return { ...current, nodes: current.nodes.map(mapNode) };
      case 'Flatten':
        return { ...current, path: mapPath(current.path), node: mapNode(current.node) };
      case 'Defer':
        return {
          ...current,
          primary: mapBlock(current.primary),
          deferred: current.deferred.map(mapBlock),
        };
    }
  }

  /** When the primary fetch is replaced by a sequence, its first fetch is the one that subscribes. */
  function mapSubscription({ primary, rest, ...node }: SubscriptionNode): SubscriptionNode {
    const mapped = change(primary);
    const [first, ...more] = mapped.kind === 'Sequence' ? mapped.nodes : [mapped];
    if (first?.kind !== 'Fetch')
      throw new Error('The primary node of a subscription must begin with a fetch.');
    const nodes = rest === undefined ? more : [...more, mapNode(rest)];
    const [only] = nodes;
    if (only === undefined) return { ...node, primary: first };
    return { ...node, primary: first, rest: nodes.length === 1 ? only : { kind: 'Sequence', nodes } };
  }

  function mapPath(path: FlattenNode['path']): FlattenNode['path'] {
    if (changePart === undefined) return path;
    return path.map((part) => (typeof part === 'string' ? changePart(part) : part));
  }

  function mapBlock<B extends { readonly node?: PlanNode }>(block: B): B {
    return block.node === undefined ? block : { ...block, node: mapNode(block.node) };
  }
}
