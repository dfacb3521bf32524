import type { EnrichmentPriority } from '../enrichment/enrichmentRule.ts';
import type { Budget } from '../execution/budget.ts';
import type { GroupUrgency } from '../execution/execution.ts';
import type { PreparedOperation } from '../operation/preparedOperation.ts';
import type { CallPriority } from '../subgraph-client/callPriority.ts';

export interface GroupUrgenciesOptions {
  /** Of the enrichments; left out where no answer waits for them any more. */
  readonly budget?: Budget;
  /** Enrichments are waited for like primary data. */
  readonly isPatient?: boolean;
}

/** How urgent the fetches of each delivery group are: those of an enrichment as its rule says. */
export function groupUrgencies(
  { program, enrichments }: PreparedOperation,
  { budget, isPatient = false }: GroupUrgenciesOptions = {},
): readonly GroupUrgency[] {
  const urgencies = program.groups.map(
    (_, group): GroupUrgency => ({ priority: group === 0 ? 'primary' : 'critical', budget: undefined }),
  );
  for (const { id, rule } of enrichments) {
    urgencies[id + 1] = isPatient
      ? { priority: 'primary', budget: undefined }
      : { priority: priorities[rule.priority], budget };
  }
  return urgencies;
}

const priorities: Readonly<Record<EnrichmentPriority, CallPriority>> = {
  CRITICAL: 'critical',
  NORMAL: 'normal',
  BACKGROUND: 'background',
};
