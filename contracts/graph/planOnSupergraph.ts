import { type GraphQLError, type GraphQLSchema, print } from 'graphql';
import { GatewayError } from '../../gateway/errors.ts';
import type { FindEnrichmentRule, NormalizedOperation } from '../../gateway/operation/normalizeOperation.ts';
import {
  describeExceededLimit,
  findExceededLimit,
  findExceededTextLimit,
  type OperationLimits,
} from '../../gateway/operation/operationLimits.ts';
import { listOverrideSets } from '../../gateway/operation/overrideDecision.ts';
import { prepareWithoutRequest } from '../../gateway/operation/prepareWithoutRequest.ts';
import { relevantOverrides } from '../../gateway/operation/relevantOverrides.ts';
import { validateDocument } from '../../gateway/operation/validateDocument.ts';
import type { QueryPlan } from '../../gateway/planning/queryPlan.ts';
import type { Supergraph } from '../../gateway/supergraph/supergraph.ts';
import type { ConsumerOperation } from '../contractStore.ts';
import type { FileLocation } from '../finding.ts';
import { errorCoordinatesOf } from './errorCoordinatesOf.ts';
import { operationOf, rootTypeNameOf } from './operationOf.ts';

/** The plans that a gateway makes for an operation, or why it makes none. */
export type PlanResult =
  | {
      readonly kind: 'planned';
      readonly normalized: NormalizedOperation;
      /** One plan for each set of progressive `@override` labels that can be active, first none and last all. */
      readonly variants: readonly { readonly overrides: readonly string[]; readonly plan: QueryPlan }[];
    }
  | FailedOperation;

export interface FailedOperation {
  readonly kind: 'failed';
  readonly problems: readonly OperationProblem[];
}

interface OperationProblem {
  /** `invalid`: validation refuses it. `limit`: it exceeds a limit of the gateway. `no root type`: the graph has no
   *  operations of this kind. `unplannable`: the planner fails. */
  readonly kind: 'invalid' | 'limit' | 'no root type' | 'unplannable';
  readonly message: string;
  /** Location in the operation's file. */
  readonly location: FileLocation;
  /** Elements of the API schema that the problem is about. */
  readonly coordinates: readonly string[];
}

/** Validates and plans an operation as a gateway with these limits does, with every condition on a variable being true.
 *  Validation blocks this thread; planning happens in the planner's threads. `enrichmentOf`: rules of fields that the
 *  plans defer. Omitted: the plans fetch everything that the client does not defer.
 *  @throws {GatewayError} `OVERLOADED` when too many operations wait for the planner. */
export async function planOnSupergraph(
  operation: ConsumerOperation,
  supergraph: Supergraph,
  limits: OperationLimits,
  enrichmentOf?: FindEnrichmentRule,
): Promise<PlanResult> {
  const { document } = operation;
  const problems = findRequestProblems(operation, supergraph.apiSchema, limits);
  if (problems.length > 0) return { kind: 'failed', problems };
  const definition = operationOf(document);
  try {
    const { normalized, plan } = prepareWithoutRequest({
      document,
      operation: definition,
      supergraph,
      limits,
      findEnrichmentRule: enrichmentOf,
    });
    const labels = relevantOverrides(supergraph, document, definition);
    const variants = await Promise.all(
      listOverrideSets(labels).map(async (overrides) => ({ overrides, plan: await plan(overrides) })),
    );
    return { kind: 'planned', normalized, variants };
  } catch (error) {
    // A planner that has too much to do says nothing about the operation.
    if (!(error instanceof GatewayError) || error.code === 'OVERLOADED') throw error;
    return { kind: 'failed', problems: [planningProblem(error, operation)] };
  }
}

/** Every reason to refuse the operation, apart from planning. */
export function findRequestProblems(
  operation: ConsumerOperation,
  schema: GraphQLSchema,
  limits: OperationLimits,
): readonly OperationProblem[] {
  const { document, location } = operation;
  const exceeded = findExceededTextLimit(print(document), limits) ?? findExceededLimit(document, limits);
  if (exceeded !== undefined) {
    return [{ kind: 'limit', message: describeExceededLimit(exceeded), location, coordinates: [] }];
  }
  const { operation: kind } = operationOf(document);
  const errors = validateDocument(schema, document);
  const coordinates = errorCoordinatesOf(errors, document, schema);
  const problems = errors.map(
    (error, index): OperationProblem => ({
      kind: 'invalid',
      message: error.message,
      location: locationOf(error, location),
      coordinates: coordinates[index] ?? [],
    }),
  );
  // `validate` reports nothing for a missing root type.
  if (schema.getRootType(kind) != null) return problems;
  const message = `The graph has no ${kind} type: no ${kind} can be answered.`;
  return [{ kind: 'no root type', message, location, coordinates: [rootTypeNameOf(kind)] }, ...problems];
}

function locationOf({ locations }: GraphQLError, { file, ...start }: FileLocation): FileLocation {
  return { file, ...(locations?.[0] ?? start) };
}

function planningProblem(error: GatewayError, { location }: ConsumerOperation): OperationProblem {
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return {
    kind: error.code === 'OPERATION_TOO_COMPLEX' ? 'limit' : 'unplannable',
    message: `${error.message}${cause}`,
    location,
    coordinates: [],
  };
}
