import { formatDuration } from '../../gateway/config/duration.ts';
import { getOrInsertComputed } from '../../gateway/sharing/getOrInsertComputed.ts';
import type { ConsumerOperation } from '../contractStore.ts';
import { createFinding, type Finding } from '../finding.ts';
import { createCachedValues, type ValueRules } from './cachedValues.ts';
import { affectedOperation, markUnchanged, operationReference } from './operationFindings.ts';
import type { ServedGraph } from './servedGraph.ts';

/** Reports values that were cached per client and are now shared, and values that may be staler than a consumer
 *  accepts. A staleness violation that existed before is `dangerous` instead of `breaking`. */
export function evaluateCacheContract(
  old: ServedGraph | undefined,
  next: ServedGraph,
  operations: readonly ConsumerOperation[],
): readonly Finding[] {
  const published = new Map<string, ConsumerOperation[]>();
  const stale: Finding[] = [];
  const [before, after] = [old && createCachedValues(old), createCachedValues(next)];
  for (const operation of operations) {
    const exceeding: StalenessViolation[] = [];
    for (const { typeName, fieldName, coordinate } of after.valuesOf(operation)) {
      const was = before?.rulesOf(operation, typeName, fieldName);
      const is = after.rulesOf(operation, typeName, fieldName);
      if (was !== undefined && becamePublic(was, is)) {
        getOrInsertComputed(published, coordinate, () => []).push(operation);
      }
      const allowed = operation.slo.staleness;
      const staleness = stalenessOf(is);
      if (allowed === undefined || staleness <= allowed) continue;
      const isNew = was === undefined || stalenessOf(was) <= allowed;
      exceeding.push({ description: `${coordinate} by ${formatDuration(staleness)}`, isNew });
    }
    if (exceeding.length > 0) stale.push(stalenessSloFinding(operation, exceeding));
  }
  return [...[...published].map(([coordinate, users]) => madePublicFinding(coordinate, users)), ...stale];
}

interface StalenessViolation {
  readonly description: string;
  readonly isNew: boolean;
}

function becamePublic(was: ValueRules, is: ValueRules): boolean {
  return [...is].some(
    ([subgraph, rule]) => rule.scope === 'PUBLIC' && was.get(subgraph)?.scope === 'PRIVATE',
  );
}

/** Milliseconds that a value may be served after it stopped being fresh. */
function stalenessOf(rules: ValueRules): number {
  const each = Array.from(
    rules.values(),
    ({ lifetime: { freshMs, revalidateMs, fallbackMs } }) => Math.max(revalidateMs, fallbackMs) - freshMs,
  );
  return Math.max(0, ...each);
}

function madePublicFinding(coordinate: string, users: readonly ConsumerOperation[]): Finding {
  return createFinding('cache-contract', {
    message: `${coordinate} was cached per client, and is now shared by all clients.`,
    coordinate,
    affects: users.map((operation) => affectedOperation(operation, `may get another client's ${coordinate}`)),
  });
}

function stalenessSloFinding(
  operation: ConsumerOperation,
  exceeding: readonly StalenessViolation[],
): Finding {
  const { consumer, name, slo } = operation;
  const newViolations = exceeding.filter(({ isNew }) => isNew);
  const values = (newViolations.length > 0 ? newViolations : exceeding)
    .map(({ description }) => description)
    .join(', ');
  const allowed = formatDuration(slo.staleness ?? 0);
  const finding = createFinding('staleness-slo', {
    severity: 'breaking',
    message: `${consumer}/${name} accepts values that are stale by ${allowed}, but may get ${values}.`,
    ...operationReference(operation),
    affects: [affectedOperation(operation, `may get ${values}`)],
  });
  return newViolations.length > 0 ? finding : markUnchanged(finding);
}
