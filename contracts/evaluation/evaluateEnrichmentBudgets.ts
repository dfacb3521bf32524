import { type DirectiveNode, type DocumentNode, Kind, visit } from 'graphql';
import { formatDuration } from '../../gateway/config/duration.ts';
import type { ConsumerOperation } from '../contractStore.ts';
import { createFinding, type Finding } from '../finding.ts';
import { operationOf } from '../graph/operationOf.ts';
import { enrichmentRulesOf } from './evaluateEnrichmentContract.ts';
import { affectedOperation, markUnchanged, operationReference } from './operationFindings.ts';
import { selectedFieldsOf } from './selectedFieldsOf.ts';
import type { ServedGraph } from './servedGraph.ts';

/** Reports operations whose first response may wait longer for an enrichment than their `@slo latency` allows. A budget
 *  that was too large before is `dangerous` instead of `breaking`. */
export function evaluateEnrichmentBudgets(
  old: ServedGraph | undefined,
  next: ServedGraph,
  operations: readonly ConsumerOperation[],
): readonly Finding[] {
  const queries = operations.filter(
    ({ slo, document }) => slo.latency !== undefined && operationOf(document).operation === 'query',
  );
  const before = old && findBudgets(old, queries);
  return [...findBudgets(next, queries)].flatMap(([operation, budgets]) => {
    const { consumer, name } = operation;
    const { latency = Number.POSITIVE_INFINITY } = operation.slo;
    const tooLarge = budgets.filter(({ budgetMs }) => budgetMs > latency);
    if (tooLarge.length === 0) return [];
    const description = tooLarge
      .map(({ coordinate, budgetMs }) => `up to ${formatDuration(budgetMs)} for ${coordinate}`)
      .join(', ');
    const finding = createFinding('latency-slo', {
      severity: 'breaking',
      message: `${consumer}/${name} relies on a first response within ${formatDuration(latency)}, but the answer waits ${description}.`,
      advice:
        'Lower the budget, by `@enrichment(budget:)` or `enrichment.fields` of the gateways, or agree with the consumer on another `# @slo latency`.',
      ...operationReference(operation),
      affects: [affectedOperation(operation, `waits ${description}`)],
    });
    const wasTooLarge = new Set(
      before?.get(operation)?.flatMap(({ coordinate, budgetMs }) => (budgetMs > latency ? coordinate : [])),
    );
    return tooLarge.every(({ coordinate }) => wasTooLarge.has(coordinate)) ? markUnchanged(finding) : finding;
  });
}

interface FieldBudget {
  readonly coordinate: string;
  readonly budgetMs: number;
}

/** The budgets that the first response of each operation may wait for. */
function findBudgets(
  graph: ServedGraph,
  operations: readonly ConsumerOperation[],
): ReadonlyMap<ConsumerOperation, readonly FieldBudget[]> {
  const rules = enrichmentRulesOf(graph);
  if (rules === undefined || rules.isEmpty) return new Map();
  const { budget } = graph.gatewaySettings.enrichments;
  return new Map(
    operations.map((operation) => [
      operation,
      selectedFieldsOf(graph.apiSchema, withoutDeferred(operation.document)).flatMap(
        ({ typeName, fieldName, coordinate, canBeNull }) => {
          const rule = rules.ruleOf(typeName, fieldName);
          // A field that cannot be null is never deferred, even after its budget.
          return rule === undefined || !canBeNull ? [] : [{ coordinate, budgetMs: rule.budgetMs ?? budget }];
        },
      ),
    ]),
  );
}

/** The document without what the client defers itself. */
function withoutDeferred(document: DocumentNode): DocumentNode {
  const removeDeferred = ({ directives = [] }: { readonly directives?: readonly DirectiveNode[] }) =>
    directives.some(isDefer) ? null : undefined;
  return visit(document, {
    [Kind.INLINE_FRAGMENT]: removeDeferred,
    [Kind.FRAGMENT_SPREAD]: removeDeferred,
  });
}

function isDefer({ name, arguments: given = [] }: DirectiveNode): boolean {
  const isOff = given.some(
    (argument) =>
      argument.name.value === 'if' && argument.value.kind === Kind.BOOLEAN && !argument.value.value,
  );
  return name.value === 'defer' && !isOff;
}
