import { type GraphQLSchema, Kind, type OperationDefinitionNode, type TypeNode } from 'graphql';
import { compileCost } from '../../gateway/operation/compileCost.ts';
import { type CostRules, readCostRules } from '../../gateway/operation/costRules.ts';
import type { ConsumerOperation } from '../contractStore.ts';
import { createFinding, type Finding } from '../finding.ts';
import { createMockVariables } from '../graph/createMockVariables.ts';
import { operationOf } from '../graph/operationOf.ts';
import { affectedOperation, markUnchanged, operationReference } from './operationFindings.ts';
import type { ServedGraph } from './servedGraph.ts';

/** Reports operations that gateways refuse, because their estimated cost exceeds `limits.cost.max`. The cost is that of a
 *  cheap request: integers without a default are 1, and no other optional variable has a value. */
export function evaluateCostLimit(
  old: ServedGraph | undefined,
  next: ServedGraph,
  operations: readonly ConsumerOperation[],
): readonly Finding[] {
  const { max } = next.gatewaySettings.cost;
  if (max === 0) return [];
  const rules = readCostRules(next.document);
  const oldRules = old && readCostRules(old.document);
  return operations.flatMap((operation) => {
    const cost = estimate(operation, next, rules);
    if (cost === undefined || cost <= max) return [];
    const before = old && oldRules && estimate(operation, old, oldRules);
    const finding = costLimitFinding(operation, cost, max);
    return before !== undefined && before > max ? markUnchanged(finding) : finding;
  });
}

/** `undefined` for an operation that the graph refuses anyway. */
function estimate(
  operation: ConsumerOperation,
  { plans, apiSchema, gatewaySettings }: ServedGraph,
  rules: CostRules,
): number | undefined {
  if (plans.get(operation)?.kind !== 'planned') return undefined;
  const { document } = operation;
  const definition = operationOf(document);
  const { listSize } = gatewaySettings.cost;
  const estimateCost = compileCost({ schema: apiSchema, document, operation: definition, rules, listSize });
  return estimateCost(cheapVariables(definition, apiSchema)).cost;
}

/** Optional integers have a value, because most of them are sizes of lists. */
function cheapVariables(definition: OperationDefinitionNode, schema: GraphQLSchema) {
  const integers = (definition.variableDefinitions ?? []).filter(
    ({ type, defaultValue }) => defaultValue === undefined && isInteger(type),
  );
  return {
    ...Object.fromEntries(integers.map(({ variable }) => [variable.name.value, 1])),
    ...createMockVariables(definition, schema),
  };
}

function isInteger(type: TypeNode): boolean {
  return type.kind === Kind.NAMED_TYPE && type.name.value === 'Int';
}

function costLimitFinding(operation: ConsumerOperation, cost: number, max: number): Finding {
  const reason = `its estimated cost is ${cost}, and gateways allow ${max} (limits.cost.max)`;
  return createFinding('cost-limit', {
    severity: 'breaking',
    message: `${operation.consumer}/${operation.name} is refused by gateways: ${reason}.`,
    ...operationReference(operation),
    affects: [affectedOperation(operation, reason)],
  });
}
