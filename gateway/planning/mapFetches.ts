import type { FetchNode, FlattenNode, PlanNode, QueryPlan, SubscriptionNode } from './queryPlan.ts';

/** Replaces each fetch node of a plan, which is at `path`, with its parts, and, with `changePart`, each part of the paths of
 *  its flatten nodes. */
export function mapFetches(
  plan: QueryPlan,
  change: (fetch: FetchNode, path: FlattenNode['path']) => PlanNode,
  changePart?: (part: string) => string,
): QueryPlan {
  const { node } = plan;
  if (node === undefined) return plan;
  if (node.kind !== 'Subscription') return { ...plan, node: mapNode(node, []) };
  return { ...plan, node: mapSubscription(node) };

  function mapNode(current: PlanNode, path: FlattenNode['path']): PlanNode {
    switch (current.kind) {
      case 'Fetch':
        return mapFetch(current, path);
      case 'Sequence':
      case 'Parallel':
        return { ...current, nodes: current.nodes.map((node) => mapNode(node, path)) };
      case 'Flatten':
        return {
          ...current,
          path: mapPath(current.path),
          node: mapNode(current.node, [...path, ...current.path]),
        };
      case 'Defer':
        return {
          ...current,
          primary: mapBlock(current.primary, path),
          deferred: current.deferred.map((block) => mapBlock(block, path)),
        };
    }
  }

  /** A fetch that is replaced by several gives all of its parts to each of these. A part is sent only for objects that it has
   *  a representation of. */
  function mapFetch(fetch: FetchNode, path: FlattenNode['path']): PlanNode {
    const changed = change(fetch, path);
    if (fetch.parts === undefined) return changed;
    const parts = fetch.parts.flatMap((part) => fetchesOf(change(part, path)));
    const nodes = fetchesOf(changed).map((node) => ({ ...node, parts }));
    return nodes.length === 1 ? (nodes[0] as FetchNode) : { kind: 'Parallel', nodes };
  }

  /** When the primary fetch is replaced by a sequence, its first fetch is the one that subscribes. */
  function mapSubscription({ primary, rest, ...node }: SubscriptionNode): SubscriptionNode {
    const mapped = change(primary, []);
    const [first, ...more] = mapped.kind === 'Sequence' ? mapped.nodes : [mapped];
    if (first?.kind !== 'Fetch')
      throw new Error('The primary node of a subscription must begin with a fetch.');
    const nodes = rest === undefined ? more : [...more, mapNode(rest, [])];
    const [only] = nodes;
    if (only === undefined) return { ...node, primary: first };
    return { ...node, primary: first, rest: nodes.length === 1 ? only : { kind: 'Sequence', nodes } };
  }

  function mapPath(path: FlattenNode['path']): FlattenNode['path'] {
    if (changePart === undefined) return path;
    return path.map((part) => (typeof part === 'string' ? changePart(part) : part));
  }

  function mapBlock<B extends { readonly node?: PlanNode }>(block: B, path: FlattenNode['path']): B {
    return block.node === undefined ? block : { ...block, node: mapNode(block.node, path) };
  }
}

function fetchesOf(node: PlanNode): FetchNode[] {
  if (node.kind === 'Fetch') return [node];
  return node.kind === 'Parallel' ? node.nodes.flatMap(fetchesOf) : [];
}
