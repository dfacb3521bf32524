import { Kind, type OperationDefinitionNode, parse } from 'graphql';
import { GatewayError } from '../../gateway/errors.ts';
import type { Planner, PlanRequest } from '../../gateway/planning/planner.ts';
import type { QueryPlan } from '../../gateway/planning/queryPlan.ts';

export interface PlannerDouble extends Planner {
  /** The requests, in order. */
  readonly requests: readonly PlanRequest[];
}

/** A planner whose plans the test returns. If `answer` throws or returns `undefined`, planning fails. */
export function createPlannerDouble(answer: (request: PlanRequest) => QueryPlan | undefined): PlannerDouble {
  const requests: PlanRequest[] = [];
  let isClosed = false;
  return {
    requests,
    plan: async (request) => {
      if (isClosed) throw new GatewayError('PLANNING_FAILED', 'The query planner was closed.');
      requests.push(request);
      const plan = attempt(answer, request);
      if (plan instanceof Error) {
        throw new GatewayError('PLANNING_FAILED', 'The operation could not be planned.', { cause: plan });
      }
      return plan;
    },
    close: async () => {
      isClosed = true;
    },
  };
}

/** A complete planner for a supergraph with one subgraph that has every field: it forwards the operation unchanged.
 *  It does not split `@defer`. */
export function createSingleSubgraphPlanner(subgraph: string): PlannerDouble {
  return createPlannerDouble(({ document, shouldSplitDefer }) =>
    shouldSplitDefer ? undefined : { kind: 'QueryPlan', node: fetchAll(subgraph, document) },
  );
}

function fetchAll(serviceName: string, document: string) {
  const operation = parse(document, { noLocation: true }).definitions.find(
    (definition): definition is OperationDefinitionNode => definition.kind === Kind.OPERATION_DEFINITION,
  );
  if (operation === undefined) throw new Error('The document has no operation.');
  return {
    kind: 'Fetch',
    serviceName,
    variableUsages: (operation.variableDefinitions ?? []).map(({ variable }) => variable.name.value),
    operation: document,
    operationKind: operation.operation,
  } as const;
}

function attempt(
  answer: (request: PlanRequest) => QueryPlan | undefined,
  request: PlanRequest,
): QueryPlan | Error {
  try {
    return answer(request) ?? new Error(`The test has no plan for ${request.document}`);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
