import type { ConsumerOperation } from '../contractStore.ts';
import type { Finding } from '../finding.ts';
import type { PlannedConsumer } from '../graph/planConsumers.ts';
import type { PlanCost } from '../graph/planCost.ts';
import { affected, atOperation } from './affected.ts';

/** How much more an operation with an `@slo latency` may take before that breaks what its consumer relies on. */
export const allowedCost = { fetches: 2, depth: 1 } as const;

export interface PlanCostChange {
  readonly operation: ConsumerOperation;
  readonly before: PlannedConsumer | undefined;
  readonly after: PlannedConsumer | undefined;
}

/** Says of an operation that answering it takes more than before; `undefined` where it does not. */
export function judgePlanCost({ operation, before, after }: PlanCostChange): Finding | undefined {
  if (before?.kind !== 'planned' || after?.kind !== 'planned') return undefined;
  const [old, next] = [before.cost, after.cost];
  const grown = (['fetches', 'depth', 'subgraphs'] as const).filter(
    (measure) => next[measure] > old[measure],
  );
  if (grown.length === 0) return undefined;
  const { latency } = operation.slo;
  const isTooMuch =
    next.fetches - old.fetches > allowedCost.fetches || next.depth - old.depth > allowedCost.depth;
  const isBroken = isTooMuch && latency !== undefined;
  const said = grown.map((measure) => sayMeasure(measure, old, next)).join(', ');
  const reason = isBroken ? `${said}; it relies on an answer within ${latency}ms` : said;
  return {
    rule: 'plan-cost',
    severity: isBroken ? 'breaking' : 'dangerous',
    message: `${operation.consumer}/${operation.name} takes more than before: ${said}.`,
    advice: isTooMuch
      ? 'Let the subgraph that is asked first serve or @provides what the added fetches get, or agree on another latency.'
      : 'Compare the latency of the added fetches with what the consumer can wait for.',
    ...atOperation(operation),
    affects: [affected(operation, reason)],
  };
}

const words = {
  fetches: 'fetches',
  depth: 'fetches one after the other',
  subgraphs: 'subgraphs',
} as const;

function sayMeasure(measure: keyof typeof words, old: PlanCost, next: PlanCost): string {
  return `${next[measure]} ${words[measure]} instead of ${old[measure]}`;
}
