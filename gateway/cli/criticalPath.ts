import type { PlanNode, QueryPlan, SubscriptionNode } from '../planning/queryPlan.ts';

/** One fetch of a chain of dependent fetches. */
export interface PathStep {
  readonly subgraph: string;
  /** Flatten path of an entity fetch, `product.reviews.@`; empty for a fetch at the root. */
  readonly path: string;
}

interface CriticalPaths {
  /** The longest chain of dependent fetches that the first payload waits for. */
  readonly initial: readonly PathStep[];
  /** The longest chain for each deferred block, from the start of the request, in plan order. */
  readonly deferred: readonly DeferredPath[];
}

interface DeferredPath {
  readonly label: string | undefined;
  readonly path: string;
  readonly steps: readonly PathStep[];
}

/** Finds the longest chains of a plan by the number of fetches, because a plan contains no durations. */
export function findCriticalPaths(plan: QueryPlan): CriticalPaths {
  const chainByFetchId = new Map<string, readonly PathStep[]>();
  const deferred: DeferredPath[] = [];
  const initial = plan.node === undefined ? [] : follow(plan.node, [], '');
  return { initial, deferred };

  /** The longest chain that begins with `before` and ends in the node. */
  function follow(
    node: PlanNode | SubscriptionNode,
    before: readonly PathStep[],
    path: string,
  ): readonly PathStep[] {
    switch (node.kind) {
      case 'Fetch': {
        const chain = [...before, { subgraph: node.serviceName, path }];
        if (node.id !== undefined) chainByFetchId.set(node.id, chain);
        return chain;
      }
      case 'Sequence':
        return node.nodes.reduce((chain, child) => follow(child, chain, path), before);
      case 'Parallel':
        return longest(before, ...node.nodes.map((child) => follow(child, before, path)));
      case 'Flatten':
        return follow(node.node, before, node.path.join('.'));
      case 'Defer': {
        const primary = node.primary.node === undefined ? before : follow(node.primary.node, before, path);
        for (const block of node.deferred) {
          const needed = longest(before, ...block.depends.map(({ id }) => chainByFetchId.get(id) ?? []));
          // Reserves the position in the list, because nested blocks are added while this block is followed.
          const index = deferred.length;
          deferred.push({ label: block.label, path: block.queryPath.join('.'), steps: needed });
          const steps = block.node === undefined ? needed : follow(block.node, needed, path);
          deferred[index] = { label: block.label, path: block.queryPath.join('.'), steps };
        }
        return primary;
      }
      case 'Subscription': {
        const chain = follow(node.primary, before, path);
        return node.rest === undefined ? chain : follow(node.rest, chain, path);
      }
    }
  }
}

function longest(...chains: readonly (readonly PathStep[])[]): readonly PathStep[] {
  return chains.reduce((best, chain) => (chain.length > best.length ? chain : best), []);
}
