import { type OperationDefinitionNode, OperationTypeNode } from 'graphql';
import { GatewayError } from '../errors.ts';
import type { Planner, PlanRequest } from '../planning/planner.ts';
import type { QueryPlan } from '../planning/queryPlan.ts';
import type { NormalizedOperation } from './normalizeOperation.ts';
import { planMutation } from './planMutation.ts';
import { deferMarker, printOperation } from './printOperation.ts';
import type { Selection } from './selection.ts';

/** The planner's input for one operation. */
export interface PlannerInput {
  readonly document: string;
  /** The same operation without `@defer`, as the fallback for a `document` that contains `@defer`: if splitting it fails or
   *  exceeds a limit. When neither contains it although the operation does, the executor splits the plan. */
  readonly documentWithoutDefer: string | undefined;
  /** Active labels of progressive `@override`s, sorted. */
  readonly overrides: readonly string[];
}

export interface PlannedOperation {
  readonly plan: QueryPlan;
  /** False when the executor has to split the plan, because the planner could not. */
  readonly isSplitByPlanner: boolean;
  /** The input of the plan, to plan the same operation for another supergraph. */
  readonly input: PlannerInput;
}

/** `undefined` when the operation needs no subgraph. `isUnsplit`: plan without `@defer`, although parts are deferred. */
export function createPlannerInput(
  operation: OperationDefinitionNode,
  { root, deferred }: NormalizedOperation,
  overrides: readonly string[],
  isUnsplit = false,
): PlannerInput | undefined {
  const documentWithoutDefer = printOperation(operation, root, { includesDefer: false });
  if (documentWithoutDefer === undefined) return undefined;
  const withoutDefer = {
    document: documentWithoutDefer,
    documentWithoutDefer: undefined,
    overrides,
  };
  if (isUnsplit || deferred.length === 0 || isMutationSeries(operation, root.selections)) return withoutDefer;
  const document = printOperation(operation, root, { includesDefer: true });
  return document === undefined ? withoutDefer : { document, documentWithoutDefer, overrides };
}

/** Whether the operation is a mutation with several root fields to execute. The planner would fetch the deferred data of one
 *  root field while the next one is executed, which may change that data. */
function isMutationSeries(operation: OperationDefinitionNode, root: readonly Selection[]): boolean {
  return operation.operation === OperationTypeNode.MUTATION && countFields(root) > 1;
}

function countFields(selections: readonly Selection[]): number {
  let count = 0;
  for (const selection of selections) {
    if (selection.kind === 'Field') count += selection.isDenied === true ? 0 : 1;
    else if (selection.kind === 'Fragment') count += countFields(selection.selectionSet.selections);
    else count += countFields(selection.own.selections);
  }
  return count;
}

/** Plans an operation, without `@defer` if the planner cannot split it.
 *  @throws {GatewayError} `PLANNING_FAILED`, `OPERATION_TOO_COMPLEX` or `OVERLOADED`. */
export async function planOperation(planner: Planner, input: PlannerInput): Promise<PlannedOperation> {
  const { document, documentWithoutDefer, overrides } = input;
  const shouldSplitDefer = document.includes(deferMarker);
  if (documentWithoutDefer === undefined || canPlanDefer(document)) {
    try {
      const plan = await planDocument(planner, { document, shouldSplitDefer, overrides });
      return { plan, isSplitByPlanner: true, input };
    } catch (error) {
      const isOverloaded = error instanceof GatewayError && error.code === 'OVERLOADED';
      if (documentWithoutDefer === undefined || isOverloaded) throw error;
    }
  }
  // The planner does not support some uses of `@defer`, or takes too long for them. The executor splits the plan instead.
  const plan = await planDocument(planner, {
    document: documentWithoutDefer,
    shouldSplitDefer: false,
    overrides,
  });
  return { plan, isSplitByPlanner: false, input };
}

/** Subscriptions are never split by the planner: Apollo's planner throws for any `@defer` in a subscription. */
function canPlanDefer(document: string): boolean {
  return !document.startsWith(OperationTypeNode.SUBSCRIPTION);
}

/** Reads the operation type from the printed document, which is all that warming a new supergraph has. */
function planDocument(planner: Planner, request: PlanRequest): Promise<QueryPlan> {
  return request.document.startsWith(OperationTypeNode.MUTATION)
    ? planMutation(planner, request)
    : planner.plan(request);
}
