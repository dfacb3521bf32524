import type { LatencyBudget } from '../../execution/latencyBudget.ts';
import type { GroupUrgency } from '../../execution/stepRunner.ts';
import type { PreparedOperation } from '../../operation/preparedOperation.ts';
import { requestPriorityOf } from '../requestPriorityOf.ts';

interface GroupUrgenciesOptions {
  /** Budget of the enrichments; omitted when no response waits for them any more. */
  readonly budget?: LatencyBudget;
  /** The response waits for enrichments as for primary data. */
  readonly waitsForAll?: boolean;
}

/** How urgent the fetches of each delivery group are. An enrichment has the priority of its rule. */
export function computeGroupUrgencies(
  { program, enrichments }: PreparedOperation,
  { budget, waitsForAll = false }: GroupUrgenciesOptions = {},
): readonly GroupUrgency[] {
  const urgencies = program.groups.map(
    (_, group): GroupUrgency => ({ priority: group === 0 ? 'primary' : 'critical', budget: undefined }),
  );
  for (const { group, rule } of enrichments) {
    urgencies[group] = waitsForAll
      ? { priority: 'primary', budget: undefined }
      : { priority: requestPriorityOf(rule.priority), budget };
  }
  return urgencies;
}
