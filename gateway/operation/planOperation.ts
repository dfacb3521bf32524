import { type OperationDefinitionNode, OperationTypeNode } from 'graphql';
import { GatewayError } from '../errors.ts';
import type { Planner, PlanRequest } from '../planning/planner.ts';
import type { QueryPlan } from '../planning/queryPlan.ts';
import type { NormalizedOperation } from './normalizeOperation.ts';
import { planMutation } from './planMutation.ts';
import { deferMarker, printOperation } from './printOperation.ts';
import type { Selection } from './selection.ts';

/** What the planner is asked for one operation. */
export interface PlannerInput {
  readonly document: string;
  /** The same operation without `@defer`, to fall back on where `document` has one. Where it has none, though the
   *  operation does, the executor is to tell the deferred fragments apart. */
  readonly documentWithoutDefer: string | undefined;
  /** Some of what `document` defers is no wish of the client's: rather than have the operation refused, or its first
   *  answer wait for a split that takes long, it is planned whole. */
  readonly isSplitOptional: boolean;
  /** Labels of progressive `@override`s that are on, sorted. */
  readonly overrides: readonly string[];
}

export interface PlannedOperation {
  readonly plan: QueryPlan;
  /** False where the planner could not tell deferred fragments apart. */
  readonly isSplitByPlanner: boolean;
  /** What was asked, to ask the planner of another supergraph the same. */
  readonly input: PlannerInput;
}

/** `undefined` where no subgraph has to be asked. `isWhole`: the plan is not to be split, whatever is deferred. */
export function createPlannerInput(
  operation: OperationDefinitionNode,
  { root, deferred }: NormalizedOperation,
  overrides: readonly string[],
  isWhole = false,
): PlannerInput | undefined {
  const whole = printOperation(operation, root, { includesDefer: false });
  if (whole === undefined) return undefined;
  const asWhole = { document: whole, documentWithoutDefer: undefined, isSplitOptional: false, overrides };
  if (isWhole || deferred.length === 0 || isMutationSeries(operation, root.selections)) return asWhole;
  const document = printOperation(operation, root, { includesDefer: true });
  const isSplitOptional = deferred.some(({ rule }) => rule !== undefined);
  return document === undefined
    ? asWhole
    : { document, documentWithoutDefer: whole, isSplitOptional, overrides };
}

/** The planner would read a deferred part of one mutation again while the next one runs, and perhaps find what
 *  that one has made of it. */
function isMutationSeries(operation: OperationDefinitionNode, root: readonly Selection[]): boolean {
  return operation.operation === OperationTypeNode.MUTATION && countFields(root) > 1;
}

function countFields(selections: readonly Selection[]): number {
  let count = 0;
  for (const selection of selections) {
    if (selection.kind === 'Field') count += 1;
    else if (selection.kind === 'Fragment') count += countFields(selection.selectionSet.selections);
    else count += countFields(selection.own.selections);
  }
  return count;
}

/** Errors: `GatewayError` with `PLANNING_FAILED`, `OPERATION_TOO_COMPLEX` or `OVERLOADED`. */
export async function planOperation(planner: Planner, question: PlannerInput): Promise<PlannedOperation> {
  const { document, documentWithoutDefer, isSplitOptional, overrides } = question;
  const defer = document.includes(deferMarker);
  if (documentWithoutDefer === undefined || canPlanDefer(planner, document)) {
    try {
      const plan = await planDocument(planner, {
        document,
        shouldSplitDefer: defer,
        overrides,
        isOptional: isSplitOptional,
      });
      return { plan, isSplitByPlanner: true, input: question };
    } catch (error) {
      if (
        documentWithoutDefer === undefined ||
        !(isPlannerFailure(error) || (isSplitOptional && isLimitExceeded(error)))
      )
        throw error;
    }
  }
  // Some uses of `@defer` are beyond the planner: a plan for the whole is divided by the executor.
  const plan = await planDocument(planner, {
    document: documentWithoutDefer,
    shouldSplitDefer: false,
    overrides,
  });
  return { plan, isSplitByPlanner: false, input: question };
}

/** Whether the planner has ended by itself: one that took too long, or too much memory, is not asked again. */
function isPlannerFailure(error: unknown): boolean {
  if (!(error instanceof GatewayError)) return false;
  const { code, extensions } = error;
  return code === 'PLANNING_FAILED' || (code === 'OPERATION_TOO_COMPLEX' && extensions?.limit === undefined);
}

/** A plan took too long, or too much memory. */
function isLimitExceeded(error: unknown): boolean {
  return error instanceof GatewayError && error.code === 'OPERATION_TOO_COMPLEX';
}

/** No planner splits a subscription: Apollo's throws on any `@defer` in one. */
function canPlanDefer(planner: Planner, document: string): boolean {
  return planner.supportsDefer !== false && !document.startsWith(OperationTypeNode.SUBSCRIPTION);
}

/** The printed document alone says what it is: there is nothing else when one is planned for a new supergraph. */
function planDocument(planner: Planner, request: PlanRequest): Promise<QueryPlan> {
  return request.document.startsWith(OperationTypeNode.MUTATION)
    ? planMutation(planner, request)
    : planner.plan(request);
}
