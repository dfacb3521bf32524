import type { Execution } from '../execution/execution.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';

/** The delivery groups whose errors belong into the first payload: the primary one, and enrichments that are there. */
export function completedGroupsOf(operation: PreparedOperation, execution: Execution): ReadonlySet<number> {
  const groups = new Set([0]);
  for (const { group } of operation.enrichments) if (execution.isComplete(group)) groups.add(group);
  return groups;
}
