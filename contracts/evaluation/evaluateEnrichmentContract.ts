import { getNamedType, Kind, type SelectionSetNode } from 'graphql';
import { type EnrichmentRules, readEnrichmentRules } from '../../gateway/enrichment/enrichmentRules.ts';
import type { ConsumerOperation } from '../contractStore.ts';
import { createFinding, type Finding } from '../finding.ts';
import { fieldOf } from '../graph/fieldOf.ts';
import { affectedOperation, markUnchanged } from './operationFindings.ts';
import { type SelectedField, selectedFieldsOf } from './selectedFieldsOf.ts';
import type { ServedGraph } from './servedGraph.ts';

/** Reports fields with `@enrichment` that cannot be deferred: a key or `@requires` needs them, they cannot be null,
 *  or a consumer expects them in the first response. A violation that existed before is `dangerous` instead of
 *  `breaking`. */
export function evaluateEnrichmentContract(
  old: ServedGraph | undefined,
  next: ServedGraph,
  operations: readonly ConsumerOperation[],
): readonly Finding[] {
  const known = new Set(old && findViolations(old, operations).map(findingKey));
  return findViolations(next, operations).map((finding) =>
    known.has(findingKey(finding)) ? markUnchanged(finding) : finding,
  );
}

function findViolations(graph: ServedGraph, operations: readonly ConsumerOperation[]): readonly Finding[] {
  const rules = enrichmentRulesOf(graph);
  if (rules === undefined || rules.isEmpty) return [];
  return [...findRequiredFields(graph, rules), ...findUndeferrableFields(graph, rules, operations)];
}

/** Equal for findings that say the same about the same operations. */
function findingKey({ coordinate, message, affects = [] }: Finding): string {
  return JSON.stringify([
    coordinate,
    message,
    affects.map(({ consumer, operation }) => [consumer, operation]),
  ]);
}

/** The enrichment rules of the graph and of the gateways' configuration; `undefined` when gateways wait for every
 *  field. */
export function enrichmentRulesOf({
  document,
  apiSchema,
  gatewaySettings: { enrichments, waitsForAll },
}: ServedGraph): EnrichmentRules | undefined {
  if (waitsForAll) return undefined;
  return readEnrichmentRules({ document, apiSchema, configured: enrichments }).rules;
}

/** Enrichment fields that a key or `@requires` needs. A fetch that needs such a field would be delayed too, or
 *  computed without it. */
function findRequiredFields({ metadata }: ServedGraph, rules: EnrichmentRules): readonly Finding[] {
  const found = new Map<string, Finding>();
  for (const [subgraph, { keys, fields }] of metadata.subgraphs) {
    for (const [typeName, ofType] of keys) {
      for (const key of ofType) visitSelections(subgraph, typeName, key.fields, `a @key of ${typeName}`);
    }
    for (const [coordinate, { requires }] of fields) {
      if (requires === undefined) continue;
      visitSelections(subgraph, coordinate.split('.')[0] ?? '', requires, `the @requires of ${coordinate}`);
    }
  }
  return [...found.values()];

  function visitSelections(
    subgraph: string,
    typeName: string,
    { selections }: SelectionSetNode,
    user: string,
  ): void {
    for (const selection of selections) {
      if (selection.kind === Kind.FRAGMENT_SPREAD) continue;
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        visitSelections(
          subgraph,
          selection.typeCondition?.name.value ?? typeName,
          selection.selectionSet,
          user,
        );
        continue;
      }
      const name = selection.name.value;
      const coordinate = `${typeName}.${name}`;
      if (rules.ruleOf(typeName, name) !== undefined && !found.has(coordinate)) {
        found.set(
          coordinate,
          createFinding('enrichment-contract', {
            severity: 'breaking',
            message: `${coordinate} may be deferred, but is part of ${user} in subgraph "${subgraph}", which needs it in the first response.`,
            advice: 'Remove @enrichment, or remove the dependency on the field.',
            subgraph,
            coordinate,
          }),
        );
      }
      const fieldType = getNamedType(fieldOf(metadata.schema.getType(typeName), name)?.type);
      if (selection.selectionSet !== undefined && fieldType !== undefined) {
        visitSelections(subgraph, fieldType.name, selection.selectionSet, user);
      }
    }
  }
}

interface UndeferrableField {
  readonly field: SelectedField;
  readonly operation: ConsumerOperation;
  readonly reason: string;
}

/** Enrichment fields that some operation cannot receive later. */
function findUndeferrableFields(
  { apiSchema }: ServedGraph,
  rules: EnrichmentRules,
  operations: readonly ConsumerOperation[],
): readonly Finding[] {
  const undeferrable = new Map<string, UndeferrableField[]>();
  for (const operation of operations) {
    for (const field of selectedFieldsOf(apiSchema, operation.document)) {
      if (rules.ruleOf(field.typeName, field.fieldName) === undefined) continue;
      const reason = undeferrableReasonOf(field, operation);
      if (reason === undefined) continue;
      undeferrable.set(field.coordinate, [
        ...(undeferrable.get(field.coordinate) ?? []),
        { field, operation, reason },
      ]);
    }
  }
  return [...undeferrable].map(([coordinate, fields]) =>
    createFinding('enrichment-contract', {
      severity: 'breaking',
      message: `${coordinate} may be deferred, but some operations need it in the first response.`,
      advice:
        'Remove @enrichment, make the field nullable, or agree with the consumers on `# @slo mayDefer`.',
      coordinate,
      affects: fields.map(({ operation, reason }) => affectedOperation(operation, reason)),
    }),
  );
}

function undeferrableReasonOf(
  { coordinate, canBeNull }: SelectedField,
  { slo, document }: ConsumerOperation,
): string | undefined {
  // Mutations and subscriptions wait for every field.
  const isQuery = document.definitions.some(
    (definition) => definition.kind === Kind.OPERATION_DEFINITION && definition.operation === 'query',
  );
  if (!isQuery) return undefined;
  if (slo.mayDefer !== undefined && !slo.mayDefer.includes(coordinate)) {
    return `does not name ${coordinate} in its @slo mayDefer`;
  }
  return canBeNull ? undefined : `${coordinate} cannot be null, and neither can any field around it`;
}
