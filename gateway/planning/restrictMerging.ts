import { MapWithCachedArrays } from '@apollo/federation-internals';

/** The members of the package's class `FetchGroup` that are used here. The package does not export the class. */
interface FetchGroup {
  parents(): readonly unknown[];
  canMergeChildIn(child: FetchGroup): boolean;
  isDescendantOf(group: FetchGroup): boolean;
  removeChild(child: FetchGroup): void;
  mergeInWithAllDependencies(other: FetchGroup): void;
}

/** Runs a synchronous task in which the package merges a fetch into the fetch before it only if the merged fetch waits
 *  for no other fetch. Its own condition is that it knows the path between the two: a field with a `@requires` would lose
 *  the inputs that the other fetch brings. Of two fetches with equal inputs, the later one may be merged into the earlier one,
 *  and not the other way round: the package would create a cycle, and follow it until it runs out of memory. */
export function restrictMerging<Result>(task: () => Result): Result {
  const { set } = MapWithCachedArrays.prototype;
  let restore: (() => void) | undefined;
  // The package stores the first fetch of each plan in such a map.
  function captureGroup(this: MapWithCachedArrays<unknown, unknown>, key: unknown, value: unknown) {
    if (restore === undefined && isFetchGroup(value)) restore = restrict(Object.getPrototypeOf(value));
    return set.call(this, key, value);
  }
  MapWithCachedArrays.prototype.set = captureGroup;
  try {
    return task();
  } finally {
    MapWithCachedArrays.prototype.set = set;
    restore?.();
  }
}

function isFetchGroup(value: unknown): value is FetchGroup {
  return typeof value === 'object' && value !== null && 'canMergeChildIn' in value;
}

function restrict(groups: FetchGroup): () => void {
  const { canMergeChildIn, mergeInWithAllDependencies } = groups;
  function canMergeOnlyChildIn(this: FetchGroup, child: FetchGroup): boolean {
    return child.parents().length === 1 && canMergeChildIn.call(this, child);
  }
  function mergeWithoutCycle(this: FetchGroup, other: FetchGroup): void {
    if (this.isDescendantOf(other)) return;
    this.removeChild(other);
    mergeInWithAllDependencies.call(this, other);
  }
  groups.canMergeChildIn = canMergeOnlyChildIn;
  groups.mergeInWithAllDependencies = mergeWithoutCycle;
  return () => {
    Object.assign(groups, { canMergeChildIn, mergeInWithAllDependencies });
  };
}
