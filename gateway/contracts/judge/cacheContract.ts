import type { DocumentNode, GraphQLSchema } from 'graphql';
import { layerRules } from '../../cache/rules/cacheRule.ts';
import { readCachedDirectives } from '../../cache/rules/readCachedDirectives.ts';
import { formatDuration } from '../../config/duration.ts';
import type { ConsumerOperation } from '../contractStore.ts';
import type { Finding } from '../finding.ts';
import { affected, atOperation } from './affected.ts';
import { selectedFields } from './selectedFields.ts';

/** One supergraph, as its cache reads it. */
export interface CachedGraph {
  readonly document: DocumentNode;
  readonly apiSchema: GraphQLSchema;
}

/** Says where values that were one client's own are everybody's now, and where they may be staler than a consumer has
 *  agreed on. What was so before is not told. */
export function judgeCacheContract(
  old: CachedGraph,
  next: CachedGraph,
  operations: readonly ConsumerOperation[],
): readonly Finding[] {
  const before = new FieldRules(old.document);
  const after = new FieldRules(next.document);
  const published = new Map<string, ConsumerOperation[]>();
  const stale: Finding[] = [];
  for (const operation of operations) {
    const exceeding: string[] = [];
    for (const { typeName, fieldName, coordinate } of selectedFields(next.apiSchema, operation.document)) {
      const was = before.ruleOf(typeName, fieldName);
      const is = after.ruleOf(typeName, fieldName);
      if (was?.scope === 'PRIVATE' && is?.scope === 'PUBLIC') {
        published.set(coordinate, [...(published.get(coordinate) ?? []), operation]);
      }
      const allowed = operation.slo.staleness;
      if (allowed !== undefined && stalenessOf(is) > allowed && stalenessOf(was) <= allowed) {
        exceeding.push(`${coordinate} by ${formatDuration(stalenessOf(is))}`);
      }
    }
    if (exceeding.length > 0) stale.push(tooStale(operation, exceeding));
  }
  return [...[...published].map(([coordinate, users]) => madePublic(coordinate, users)), ...stale];
}

function madePublic(coordinate: string, users: readonly ConsumerOperation[]): Finding {
  return {
    rule: 'cache-contract',
    severity: 'breaking',
    message: `${coordinate} was cached for one client each, and is cached for everybody now.`,
    advice: 'Keep scope: PRIVATE; a value that is the same for everyone belongs in a field of its own.',
    coordinate,
    affects: users.map((operation) => affected(operation, `may get another client's ${coordinate}`)),
  };
}

function tooStale(operation: ConsumerOperation, exceeding: readonly string[]): Finding {
  const { consumer, name, slo } = operation;
  const values = exceeding.join(', ');
  const allowed = formatDuration(slo.staleness ?? 0);
  return {
    rule: 'staleness-slo',
    severity: 'breaking',
    message: `${consumer}/${name} accepts values that are stale by ${allowed}, and may get ${values}.`,
    advice:
      'Lower staleIfError and staleWhileRevalidate, or agree with the consumer on another `# @slo staleness`.',
    ...atOperation(operation),
    affects: [affected(operation, `may get ${values}`)],
  };
}

interface FieldRule {
  readonly scope: 'PUBLIC' | 'PRIVATE';
  readonly lifetime: { readonly freshMs: number; readonly revalidateMs: number; readonly fallbackMs: number };
}

/** How much longer than it is fresh a value may be served, in milliseconds. */
function stalenessOf(rule: FieldRule | undefined): number {
  if (rule === undefined) return 0;
  const { freshMs, revalidateMs, fallbackMs } = rule.lifetime;
  return Math.max(revalidateMs, fallbackMs) - freshMs;
}

class FieldRules {
  readonly #written: ReturnType<typeof readCachedDirectives>['rules'];

  constructor(document: DocumentNode) {
    this.#written = readCachedDirectives(document).rules;
  }

  ruleOf(typeName: string, fieldName: string): FieldRule | undefined {
    return layerRules(
      [`${typeName}.${fieldName}`, typeName].flatMap((place) => this.#written.get(place) ?? []),
    );
  }
}
