// What a plan means for time: which fetches come after which, and which parts may come late.

import type { DeferredNode, PlanNode, QueryPlan, SubscriptionNode } from './queryPlan.ts';

/** One fetch of a chain of fetches that wait for each other. */
export interface PlanStep {
  readonly subgraph: string;
  /** Where its entities are, as in a Flatten node; empty for a root fetch. */
  readonly path: readonly (string | number)[];
}

export interface DeferredPart {
  readonly label: string | undefined;
  readonly queryPath: readonly string[];
  /** The longest chain of fetches that must end before this part can be sent, those of the parts around it
   *  included. No longer than the first answer's: the part is there as soon as the first answer is. */
  readonly criticalPath: readonly PlanStep[];
}

/** The longest chain of dependent fetches before the first answer; the most round trips, not the most time. */
export function criticalPath(plan: QueryPlan): readonly PlanStep[] {
  return measure(plan).first;
}

/** Every deferred part of a plan, outer before inner ones. */
export function describeDeferred(plan: QueryPlan): readonly DeferredPart[] {
  return measure(plan).deferred;
}

interface Measured {
  readonly first: readonly PlanStep[];
  readonly deferred: readonly DeferredPart[];
}

function measure(plan: QueryPlan): Measured {
  const deferred: DeferredPart[] = [];
  /** By the id of a fetch: the longest chain that ends with it. */
  const untilFetch = new Map<string, readonly PlanStep[]>();

  /** The longest chain that ends with something of `node` and starts with `before`. */
  const walk = (
    node: PlanNode | SubscriptionNode | undefined,
    before: readonly PlanStep[],
    path: PlanStep['path'],
  ): readonly PlanStep[] => {
    switch (node?.kind) {
      case undefined:
        return before;
      case 'Fetch': {
        const chain = [...before, { subgraph: node.serviceName, path }];
        if (node.id !== undefined) untilFetch.set(node.id, chain);
        return chain;
      }
      case 'Flatten':
        return walk(node.node, before, [...path, ...node.path]);
      case 'Sequence':
        return node.nodes.reduce((chain, child) => walk(child, chain, path), before);
      case 'Parallel':
        return longest(before, ...node.nodes.map((child) => walk(child, before, path)));
      case 'Condition':
        return longest(
          before,
          ...[node.ifClause, node.elseClause].map((clause) => walk(clause, before, path)),
        );
      case 'Subscription':
        return walk(node.rest, walk(node.primary, before, path), path);
      case 'Defer': {
        const primary = walk(node.primary.node, before, path);
        for (const block of node.deferred) walkDeferred(block, before, primary);
        return primary;
      }
    }
  };

  const walkDeferred = (
    block: DeferredNode,
    before: readonly PlanStep[],
    primary: readonly PlanStep[],
  ): void => {
    // A block without a node waits for nothing of its own: its data is part of the primary.
    const start =
      block.node === undefined
        ? primary
        : longest(before, ...block.depends.map(({ id }) => untilFetch.get(id) ?? before));
    const position = deferred.length;
    const chain = walk(block.node, start, []);
    deferred.splice(position, 0, { label: block.label, queryPath: block.queryPath, criticalPath: chain });
  };

  return { first: walk(plan.node, [], []), deferred };
}

function longest(...chains: readonly (readonly PlanStep[])[]): readonly PlanStep[] {
  return chains.reduce((best, chain) => (chain.length > best.length ? chain : best), []);
}
