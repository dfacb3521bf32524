import { GraphQLError, getOperationAST, parse, validate } from 'graphql';
import { GatewayError } from '../errors.ts';
import { describeUnknownOverride } from '../planning/overrideLabels.ts';
import { printPlan } from '../planning/printPlan.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import { InternalNames } from './internalNames.ts';
import { normalizeOperation } from './normalizeOperation.ts';
import { findExceededLimit, findExceededTextLimit, type OperationLimits } from './operationLimits.ts';
import { createPlannerInput, planOperation } from './planOperation.ts';

/** The plan of an operation as text, with every condition on a variable without a default taken as it stands,
 *  and with these labels of progressive `@override`s on.
 *  Errors: `GraphQLError` for an invalid operation, `GatewayError` where it cannot be planned. */
export async function explainOperation(
  text: string,
  overrides: readonly string[],
  supergraph: Supergraph | undefined,
  limits: OperationLimits,
): Promise<string> {
  if (supergraph === undefined) {
    throw new GatewayError('SUPERGRAPH_UNAVAILABLE', 'No supergraph is loaded yet: see /health/ready.');
  }
  const unknown = describeUnknownOverride(overrides, supergraph.overrides);
  if (unknown !== undefined) throw new GraphQLError(unknown);
  const exceededByText = findExceededTextLimit(text, limits);
  if (exceededByText !== undefined) throw tooComplex(exceededByText);
  const document = parse(text);
  // Before validation, which compares every two fields that meet.
  const exceeded = findExceededLimit(document, limits);
  if (exceeded !== undefined) throw tooComplex(exceeded);
  const [problem] = validate(supergraph.apiSchema, document);
  if (problem !== undefined) throw problem;
  const operation = getOperationAST(document);
  if (operation == null) throw new GraphQLError('Give a document with exactly one operation.');
  const normalized = normalizeOperation({
    schema: supergraph.apiSchema,
    document,
    operation,
    booleanVariables: {},
    internalNames: InternalNames.forSupergraph(supergraph),
    maxSelections: limits.recursiveSelections,
    isDeferEnabled: true,
  });
  const question = createPlannerInput(operation, normalized, overrides);
  if (question === undefined) return printPlan({ kind: 'QueryPlan' });
  const { plan } = await planOperation(supergraph.planner, question);
  return printPlan(plan);
}

function tooComplex({
  limit,
  value,
  allowed,
}: NonNullable<ReturnType<typeof findExceededLimit>>): GatewayError {
  return new GatewayError(
    'OPERATION_TOO_COMPLEX',
    `limits.${limit} is ${allowed}, and the operation has at least ${value}.`,
  );
}
