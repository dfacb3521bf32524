import { type GraphQLSchema, Kind, type OperationDefinitionNode, type TypeNode } from 'graphql';
import { compileCost } from '../../gateway/operation/compileCost.ts';
import { type CostRules, readCostRules } from '../../gateway/operation/costRules.ts';
import type { ConsumerOperation } from '../contractStore.ts';
import { createFinding, type Finding } from '../finding.ts';
import { createMockVariables } from '../graph/createMockVariables.ts';
import { operationOf } from '../graph/operationOf.ts';
import { affectedOperation, markUnchanged, operationReference } from './operationFindings.ts';
import type { ServedGraph } from './servedGraph.ts';

/** Reports operations that gateways refuse because of their estimated cost: above the maximum of one operation, above what
 *  a client may spend in a window, or not estimable without a slicing argument. The cost is that of a cheap request:
 *  integers without a default are 1, and no other optional variable has a value. */
export function evaluateCostLimit(
  old: ServedGraph | undefined,
  next: ServedGraph,
  operations: readonly ConsumerOperation[],
): readonly Finding[] {
  const { cost, rateCost } = next.gatewaySettings;
  if (cost.max === 0 && rateCost === 0) return [];
  const rules = readCostRules(next.document);
  const oldRules = old && readCostRules(old.document);
  return operations.flatMap((operation) => {
    const reason = findRefusal(operation, next, rules);
    if (reason === undefined) return [];
    const finding = costLimitFinding(operation, reason);
    const isOld = old && oldRules && findRefusal(operation, old, oldRules) !== undefined;
    return isOld ? markUnchanged(finding) : finding;
  });
}

/** Why gateways refuse the operation; `undefined` also for one that the graph refuses anyway. */
function findRefusal(
  operation: ConsumerOperation,
  { plans, apiSchema, gatewaySettings }: ServedGraph,
  rules: CostRules,
): string | undefined {
  if (plans.get(operation)?.kind !== 'planned') return undefined;
  const { document } = operation;
  const definition = operationOf(document);
  const { cost: limit, rateCost } = gatewaySettings;
  const { listSize } = limit;
  const estimateCost = compileCost({ schema: apiSchema, document, operation: definition, rules, listSize });
  const { cost, unslicedField } = estimateCost(cheapVariables(definition, apiSchema));
  const describe = (option: string, max: number): string =>
    `its estimated cost is ${cost}, and gateways allow ${max} (${option})`;
  if (limit.max > 0 && cost > limit.max) return describe('limits.cost.max', limit.max);
  // A variable may be the argument that is missing, or may have no value.
  const isFixed = (definition.variableDefinitions ?? []).length === 0;
  if (limit.max > 0 && isFixed && unslicedField !== undefined)
    return `${unslicedField} needs exactly one of the arguments that limit the size of its list (limits.cost.max)`;
  return rateCost > 0 && cost > rateCost ? describe('limits.rate.cost', rateCost) : undefined;
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

function costLimitFinding(operation: ConsumerOperation, reason: string): Finding {
  return createFinding('cost-limit', {
    severity: 'breaking',
    message: `${operation.consumer}/${operation.name} is refused by gateways: ${reason}.`,
    ...operationReference(operation),
    affects: [affectedOperation(operation, reason)],
  });
}
