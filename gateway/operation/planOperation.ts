import { type OperationDefinitionNode, OperationTypeNode } from 'graphql';
import { GatewayError } from '../errors.ts';
import type { Planner } from '../planning/planner.ts';
import type { QueryPlan } from '../planning/queryPlan.ts';
import type { NormalizedOperation } from './normalize.ts';
import { deferMark, printOperation } from './printOperation.ts';
import type { SelectionSet } from './selection.ts';

/** What the planner is asked for one operation. */
export interface PlannerQuestion {
  readonly document: string;
  /** The same operation without `@defer`, to fall back on where `document` has one. Where it has none, though the
   *  operation does, the executor is to tell the deferred fragments apart. */
  readonly whole: string | undefined;
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
): PlannerQuestion | undefined {
  const whole = printOperation(operation, root, { defer: false });
  if (whole === undefined) return undefined;
  if (deferred.length === 0 || isSeries(operation, root)) return { document: whole, whole: undefined };
  const document = printOperation(operation, root, { defer: true });
  return document === undefined ? { document: whole, whole: undefined } : { document, whole };
}

/** The planner would read a deferred part of one mutation again while the next one runs, and perhaps find what
 *  that one has made of it. */
function isSeries(operation: OperationDefinitionNode, root: SelectionSet): boolean {
  return operation.operation === OperationTypeNode.MUTATION && root.selections.length > 1;
}

/** Errors: `GatewayError` with `PLANNING_FAILED` or `OPERATION_TOO_COMPLEX`. */
export async function planOperation(
  planner: Planner,
  operation: OperationTypeNode | `${OperationTypeNode}`,
  { document, whole }: PlannerQuestion,
): Promise<PlannedOperation> {
  const defer = document.includes(deferMark);
  // The planner throws on any `@defer` in a subscription.
  if (whole === undefined || operation !== OperationTypeNode.SUBSCRIPTION) {
    try {
      return { plan: await planner.plan({ document, defer }), isSplitByPlanner: true };
    } catch (error) {
      if (whole === undefined || !(error instanceof GatewayError) || error.code !== 'PLANNING_FAILED')
        throw error;
    }
  }
  // Some uses of `@defer` are beyond the planner: a plan for the whole is divided by the executor.
  return { plan: await planner.plan({ document: whole, defer: false }), isSplitByPlanner: false };
}
