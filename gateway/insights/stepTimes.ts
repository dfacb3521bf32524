/** Times of the steps of one execution, by step, in milliseconds from the start of the request. `NaN` for a step that has
 *  not started, or not ended, before the response ended. */
export interface StepTimes {
  readonly starts: ArrayLike<number>;
  readonly ends: ArrayLike<number>;
}

/** What depends on what in a plan. */
interface PlanGraph {
  readonly steps: readonly { readonly dependsOn: readonly number[] }[];
  /** By delivery group: the steps that it waits for. */
  readonly groups: readonly { readonly steps: readonly number[] }[];
}

/** Returns the chain of steps that these groups waited for, in their order: the step that ended last, before it the last
 *  one to end of those that it depends on, and so on. */
export function findCriticalPath(
  { steps, groups }: PlanGraph,
  { ends }: StepTimes,
  gatingGroups: Iterable<number>,
): number[] {
  const chain: number[] = [];
  const candidates = Array.from(gatingGroups, (group) => groups[group]?.steps ?? []).flat();
  for (let step = lastToEnd(candidates, ends); step !== undefined; ) {
    chain.push(step);
    step = lastToEnd(steps[step]?.dependsOn ?? [], ends);
  }
  return chain.reverse();
}

function lastToEnd(candidates: readonly number[], ends: ArrayLike<number>): number | undefined {
  let last: number | undefined;
  for (const candidate of candidates) {
    const end = ends[candidate] as number;
    if (!Number.isNaN(end) && (last === undefined || end > (ends[last] as number))) last = candidate;
  }
  return last;
}
