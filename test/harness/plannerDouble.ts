import { Kind, type OperationDefinitionNode, parse } from 'graphql';
import { GatewayError } from '../../gateway/errors.ts';
import type { Planner, PlanRequest } from '../../gateway/planning/planner.ts';
import type { QueryPlan } from '../../gateway/planning/queryPlan.ts';

export interface PlannerDouble extends Planner {
  /** What was asked, in order. */
  readonly requests: readonly PlanRequest[];
}

/** A planner that answers as a test says. What `answer` throws, or `undefined` in its place, is a plan that cannot
 *  be made. */
export function createPlannerDouble(
  answer: (request: PlanRequest) => QueryPlan | undefined,
  options: Pick<Planner, 'supportsDefer'> = {},
): PlannerDouble {
  const requests: PlanRequest[] = [];
  let isClosed = false;
  return {
    ...options,
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

/** A whole planner, for a supergraph with one subgraph, which has every field and no field is hidden: whatever is
 *  asked goes there as it is. It cannot split anything, and says so. */
export function createSingleSubgraphPlanner(subgraph: string): PlannerDouble {
  return createPlannerDouble(({ document }) => ({ kind: 'QueryPlan', node: fetchAll(subgraph, document) }), {
    supportsDefer: false,
  });
}

function fetchAll(serviceName: string, document: string) {
  const operation = parse(document, { noLocation: true }).definitions.find(
    (definition): definition is OperationDefinitionNode => definition.kind === Kind.OPERATION_DEFINITION,
  );
  if (operation === undefined) throw new Error('There is no operation.');
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
    return answer(request) ?? new Error(`There is no plan for ${request.document}`);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
