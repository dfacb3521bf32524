import { GraphQLError, getOperationAST, parse } from 'graphql';
import { GatewayError } from '../errors.ts';
import { describeUnknownOverride } from '../planning/overrideLabels.ts';
import { printPlan } from '../planning/printPlan.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';
import {
  findExceededLimit,
  findExceededTextLimit,
  limitExceededError,
  type OperationLimits,
} from './operationLimits.ts';
import { executableRules } from './operationTypeRule.ts';
import { prepareWithoutRequest } from './prepareWithoutRequest.ts';
import { validateDocument } from './validateDocument.ts';

/** Prints the plan of an operation without variables. `overrides`: active labels of progressive `@override`s.
 *  @throws {GraphQLError} for an invalid operation.
 *  @throws {GatewayError} when the operation exceeds a limit or cannot be planned. */
export async function explainOperation(
  text: string,
  overrides: readonly string[],
  supergraph: Supergraph | undefined,
  limits: OperationLimits,
): Promise<string> {
  if (supergraph === undefined) {
    throw new GatewayError(
      'SUPERGRAPH_UNAVAILABLE',
      'No supergraph is loaded yet: see /health/ready of the admin listener.',
    );
  }
  const unknown = describeUnknownOverride(overrides, supergraph.overrides);
  if (unknown !== undefined) throw new GraphQLError(unknown);
  const exceededByText = findExceededTextLimit(text, limits);
  if (exceededByText !== undefined) throw limitExceededError(exceededByText);
  const document = parse(text);
  // Before validation, whose time is quadratic in the number of fields with one response name.
  const exceeded = findExceededLimit(document, limits);
  if (exceeded !== undefined) throw limitExceededError(exceeded);
  const [problem] = validateDocument(supergraph.apiSchema, document, executableRules);
  if (problem !== undefined) throw problem;
  const operation = getOperationAST(document);
  if (operation == null) throw new GraphQLError('The document must contain exactly one operation.');
  const prepared = prepareWithoutRequest({ document, operation, supergraph, limits });
  return printPlan(await prepared.plan(overrides));
}
