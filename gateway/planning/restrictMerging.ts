import { MapWithCachedArrays } from '@apollo/federation-internals';

/** The members of the package's class `FetchGroup` that are used here. The package does not export the class. */
interface FetchGroup {
  parents(): readonly unknown[];
  canMergeChildIn(child: FetchGroup): boolean;
}

/** Runs a synchronous task in which the package merges a fetch into the fetch before it only if the merged fetch waits
 *  for no other fetch. Its own condition is that it knows the path between the two: a field with a `@requires` would lose
 *  the inputs that the other fetch brings. */
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
  const { canMergeChildIn } = groups;
  function canMergeOnlyChildIn(this: FetchGroup, child: FetchGroup): boolean {
    return child.parents().length === 1 && canMergeChildIn.call(this, child);
  }
  groups.canMergeChildIn = canMergeOnlyChildIn;
  return () => {
    groups.canMergeChildIn = canMergeChildIn;
  };
}
