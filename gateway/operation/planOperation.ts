import { type OperationDefinitionNode, OperationTypeNode } from 'graphql';
import { GatewayError } from '../errors.ts';
import type { Planner, PlanRequest } from '../planning/planner.ts';
import type { QueryPlan } from '../planning/queryPlan.ts';
import type { NormalizedOperation } from './normalize.ts';
import { planMutation } from './planMutation.ts';
import { deferMark, printOperation } from './printOperation.ts';
import type { Selection } from './selection.ts';

/** What the planner is asked for one operation. */
export interface PlannerQuestion {
  readonly document: string;
  /** The same operation without `@defer`, to fall back on where `document` has one. Where it has none, though the
   *  operation does, the executor is to tell the deferred fragments apart. */
  readonly whole: string | undefined;
  /** Labels of progressive `@override`s that are on, sorted. */
  readonly overrides: readonly string[];
}

export interface PlannedOperation {
  readonly plan: QueryPlan;
  /** False where the planner could not tell deferred fragments apart. */
  readonly isSplitByPlanner: boolean;
}

/** `undefined` where no subgraph has to be asked. */
export function plannerQuestion(
  operation: OperationDefinitionNode,
  { root, deferred }: NormalizedOperation,
  overrides: readonly string[],
): PlannerQuestion | undefined {
  const whole = printOperation(operation, root, { defer: false });
  if (whole === undefined) return undefined;
  if (deferred.length === 0 || isSeries(operation, root.selections))
    return { document: whole, whole: undefined, overrides };
  const document = printOperation(operation, root, { defer: true });
  return document === undefined
    ? { document: whole, whole: undefined, overrides }
    : { document, whole, overrides };
}

/** The planner would read a deferred part of one mutation again while the next one runs, and perhaps find what
 *  that one has made of it. */
function isSeries(operation: OperationDefinitionNode, root: readonly Selection[]): boolean {
  return operation.operation === OperationTypeNode.MUTATION && countFields(root) > 1;
}

function countFields(selections: readonly Selection[]): number {
  let count = 0;
  for (const selection of selections) {
    if (selection.kind === 'Field') count += 1;
    else if (selection.kind === 'Fragment') count += countFields(selection.set.selections);
    else count += countFields(selection.own.selections);
  }
  return count;
}

/** Errors: `GatewayError` with `PLANNING_FAILED` or `OPERATION_TOO_COMPLEX`. */
export async function planOperation(
  planner: Planner,
  operation: OperationTypeNode | `${OperationTypeNode}`,
  { document, whole, overrides }: PlannerQuestion,
): Promise<PlannedOperation> {
  const defer = document.includes(deferMark);
  // The planner throws on any `@defer` in a subscription.
  if (whole === undefined || operation !== OperationTypeNode.SUBSCRIPTION) {
    try {
      return { plan: await planInTurn(planner, { document, defer, overrides }), isSplitByPlanner: true };
    } catch (error) {
      if (whole === undefined || !(error instanceof GatewayError) || error.code !== 'PLANNING_FAILED')
        throw error;
    }
  }
  // Some uses of `@defer` are beyond the planner: a plan for the whole is divided by the executor.
  return {
    plan: await planInTurn(planner, { document: whole, defer: false, overrides }),
    isSplitByPlanner: false,
  };
}

/** The printed document alone says what it is: there is nothing else when one is planned for a new supergraph. */
function planInTurn(planner: Planner, request: PlanRequest): Promise<QueryPlan> {
  return request.document.startsWith(OperationTypeNode.MUTATION)
    ? planMutation(planner, request)
    : planner.plan(request);
}
