import type { PlannedFetch } from './flattenPlan.ts';

/** What answering an operation takes, the most of what its conditions may come to. */
export interface PlanCost {
  readonly fetches: number;
  /** Fetches that wait for each other, at most: how many times the network is in an answer's time. */
  readonly depth: number;
  readonly subgraphs: number;
  /** By `@cost` and `@listSize`; `undefined` where the supergraph has neither. */
  readonly weight: number | undefined;
}

export function planCostOf(fetches: readonly PlannedFetch[], weight: number | undefined): PlanCost {
  const depths: number[] = [];
  for (const { dependsOn } of fetches) {
    depths.push(1 + Math.max(0, ...dependsOn.map((index) => depths[index] ?? 0)));
  }
  return {
    fetches: fetches.length,
    depth: Math.max(0, ...depths),
    subgraphs: new Set(fetches.map(({ subgraph }) => subgraph)).size,
    weight,
  };
}

export function maxPlanCost(costs: readonly PlanCost[]): PlanCost {
  const weights = costs.flatMap(({ weight }) => weight ?? []);
  return {
    fetches: Math.max(0, ...costs.map(({ fetches }) => fetches)),
    depth: Math.max(0, ...costs.map(({ depth }) => depth)),
    subgraphs: Math.max(0, ...costs.map(({ subgraphs }) => subgraphs)),
    weight: weights.length === 0 ? undefined : Math.max(...weights),
  };
}
