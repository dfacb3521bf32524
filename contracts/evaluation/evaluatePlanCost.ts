import type { ConsumerOperation } from '../contractStore.ts';
import { createFinding, type Finding } from '../finding.ts';
import type { ConsumerPlan } from '../graph/planConsumerOperations.ts';
import type { PlanCost } from '../graph/planCost.ts';
import { affectedOperation, operationReference } from './operationFindings.ts';

/** Increase up to which an operation with `@slo latency` is not broken. */
const allowedCostIncrease = { fetches: 2, depth: 1 } as const;

interface PlanCostChange {
  readonly operation: ConsumerOperation;
  readonly before: ConsumerPlan | undefined;
  readonly after: ConsumerPlan | undefined;
}

/** Reports an operation whose plan takes more than before; `undefined` when it does not. */
export function evaluatePlanCost({ operation, before, after }: PlanCostChange): Finding | undefined {
  if (before?.kind !== 'planned' || after?.kind !== 'planned') return undefined;
  const [old, next] = [before.cost, after.cost];
  const increased = (['fetches', 'depth', 'subgraphs'] as const).filter(
    (measure) => next[measure] > old[measure],
  );
  if (increased.length === 0) return undefined;
  const { latency } = operation.slo;
  const isTooMuch =
    next.fetches - old.fetches > allowedCostIncrease.fetches ||
    next.depth - old.depth > allowedCostIncrease.depth;
  const isBroken = isTooMuch && latency !== undefined;
  const description = increased.map((measure) => describeMeasure(measure, old, next)).join(', ');
  const reason = isBroken ? `${description}; it relies on an answer within ${latency}ms` : description;
  return createFinding('plan-cost', {
    severity: isBroken ? 'breaking' : 'dangerous',
    message: `${operation.consumer}/${operation.name} costs more than before: ${description}.`,
    advice: isTooMuch
      ? 'Let the subgraph that is fetched first serve or @provides what the added fetches get, or agree on another latency.'
      : 'Check that the consumer can wait for the added fetches.',
    ...operationReference(operation),
    affects: [affectedOperation(operation, reason)],
  });
}

const measureLabels = {
  fetches: 'fetches',
  depth: 'fetches in sequence',
  subgraphs: 'subgraphs',
} as const;

function describeMeasure(measure: keyof typeof measureLabels, old: PlanCost, next: PlanCost): string {
  return `${next[measure]} ${measureLabels[measure]} instead of ${old[measure]}`;
}
