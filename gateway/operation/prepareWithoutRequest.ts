import type { DocumentNode, OperationDefinitionNode } from 'graphql';
import type { QueryPlan } from '../planning/queryPlan.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import { InternalNames } from './internalNames.ts';
import {
  type FindEnrichmentRule,
  type NormalizedOperation,
  normalizeOperation,
} from './normalizeOperation.ts';
import type { OperationLimits } from './operationLimits.ts';
import { createPlannerInput, planOperation } from './planOperation.ts';

interface OperationWithoutRequest {
  /** Valid against the API schema of the supergraph. */
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  readonly supergraph: Supergraph;
  readonly limits: Pick<OperationLimits, 'recursiveSelections'>;
  readonly findEnrichmentRule?: FindEnrichmentRule | undefined;
}

interface PreparedWithoutRequest {
  readonly normalized: NormalizedOperation;
  /** `overrides`: active labels of progressive `@override`s.
   *  @throws {GatewayError} when the operation cannot be planned. */
  plan(overrides: readonly string[]): Promise<QueryPlan>;
}

/** Prepares an operation without the values of its variables: conditions on variables count as true for `@include` and
 *  `@defer`, and as false for `@skip`.
 *  @throws {GatewayError} `OPERATION_TOO_COMPLEX` */
export function prepareWithoutRequest(options: OperationWithoutRequest): PreparedWithoutRequest {
  const { document, operation, supergraph, limits, findEnrichmentRule } = options;
  const normalized = normalizeOperation({
    schema: supergraph.apiSchema,
    document,
    operation,
    booleanVariables: {},
    internalNames: InternalNames.forSupergraph(supergraph),
    maxSelections: limits.recursiveSelections,
    isDeferEnabled: true,
    findEnrichmentRule,
  });
  return {
    normalized,
    async plan(overrides) {
      const input = createPlannerInput(operation, normalized, overrides);
      return input === undefined
        ? { kind: 'QueryPlan' }
        : (await planOperation(supergraph.planner, input)).plan;
    },
  };
}
