import {
  type DocumentNode,
  type GraphQLOutputType,
  type GraphQLSchema,
  isNonNullType,
  Kind,
  parseType,
  TypeInfo,
  typeFromAST,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import type { ConsumerOperation } from '../contractStore.ts';
import { fieldOf } from '../graph/fieldOf.ts';
import { findVariableDifferences } from '../graph/findInputDifferences.ts';
import { findInvalidUses } from '../graph/findInvalidUses.ts';
import { findTypeDifferences } from '../graph/findOutputDifferences.ts';
import type { PlannedRequest } from '../graph/flattenPlan.ts';
import { operationOf } from '../graph/operationOf.ts';
import type { FailedOperation } from '../graph/planOnSupergraph.ts';
import type { SupergraphMetadata } from '../graph/supergraphMetadata.ts';
import { visitInputs } from '../graph/visitInputs.ts';
import type { Breakage } from './breakage.ts';
import { findHiddenValues, findUnmatchedTypes } from './findLostData.ts';
import { type SelectedField, selectedFieldsOf } from './selectedFieldsOf.ts';

/** Finds why an operation that was written for the old API schema fails with the new one: it is refused, its
 *  variables may be refused, values have other types, or values are lost that subgraphs still return. Unknown enum
 *  values and types are no breakage, because clients have to expect them. */
export function findBreakagesAfterRollout(
  operation: ConsumerOperation,
  after: { readonly kind: 'planned' } | FailedOperation,
  old: GraphQLSchema,
  next: GraphQLSchema,
  /** The new supergraph; called only where values differ. */
  served: () => SupergraphMetadata,
  plans: PlannedValues,
): readonly Breakage[] {
  const toBreakage = (message: string, coordinates: readonly string[]): Breakage => ({
    operation,
    phase: 'after rollout',
    subgraph: undefined,
    message,
    coordinates,
  });
  const { document } = operation;
  const fields = selectedFieldsOf(old, document);
  const breakages = [
    ...(after.kind === 'failed' ? after.problems : []).map(({ message, coordinates }) =>
      toBreakage(message, coordinates),
    ),
    ...findVariableDifferences(operationOf(document), old, next).map(({ description, coordinate }) =>
      toBreakage(`its variables may be refused: ${description}`, [coordinate]),
    ),
    ...findRefusedNulls(document, old, next)
      .filter((coordinate) => !plans.acceptNull(coordinate))
      .map((coordinate) =>
        toBreakage(`it may pass null for ${coordinate}, which no longer accepts null`, [coordinate]),
      ),
    ...findChangedValues(fields, old, next, served, plans).map(({ coordinate, description }) =>
      toBreakage(`${coordinate} has another type: ${description}`, [coordinate]),
    ),
    ...[
      ...findHiddenValues(fields, old, next, () => served().schema),
      ...findUnmatchedTypes(document, old, next),
    ].map(({ message, coordinates }) => toBreakage(message, coordinates)),
  ];
  if (after.kind === 'planned') return breakages;
  // Validation does not look below a field that it refuses.
  const reported = new Set(breakages.flatMap(({ coordinates }) => coordinates));
  const hidden = findInvalidUses(document, old, next).filter(({ coordinate }) => !reported.has(coordinate));
  return [...breakages, ...hidden.map(({ message, coordinate }) => toBreakage(message, [coordinate]))];
}

/** What the plans on the new graph send to subgraphs, and get from them. */
export interface PlannedValues {
  /** Whether the subgraphs accept null for an input for which the new API schema does not. */
  acceptNull(input: string): boolean;
  /** The requests of the plans; none for an operation without a plan. */
  requests(): readonly PlannedRequest[];
}

/** A supergraph has the loosest type of a field of all subgraphs that have it, and of all object types of an interface.
 *  Clients get values from the subgraphs that a plan fetches from, and of the types that these have. */
function findChangedValues(
  fields: readonly SelectedField[],
  old: GraphQLSchema,
  next: GraphQLSchema,
  served: () => SupergraphMetadata,
  plans: PlannedValues,
) {
  return fields.flatMap(({ typeName, fieldName, coordinate, isTypeNamed }) => {
    const before = fieldOf(old.getType(typeName), fieldName);
    const after = fieldOf(next.getType(typeName), fieldName);
    if (before === undefined || after === undefined) return [];
    const differences = (type: GraphQLOutputType, servedIn: GraphQLSchema) =>
      findTypeDifferences(before.type, type, { expectedIn: old, servedIn, isTypeNamed }).filter(
        ({ kind }) => kind !== 'unknown value',
      );
    const changed = differences(after.type, next);
    if (changed.length === 0) return [];
    const types = plans.requests().flatMap((request) => servedTypesOf(fieldName, request, served()));
    const isSame = types.length > 0 && types.every((type) => differences(type, served().schema).length === 0);
    return isSame ? [] : changed.map(({ description }) => ({ coordinate, description }));
  });
}

/** The types that a field of any type with this name has in the subgraph of a request. Plans may select a field of an
 *  interface from its types. */
function servedTypesOf(
  fieldName: string,
  { document, subgraph }: PlannedRequest,
  { schema, subgraphs }: SupergraphMetadata,
): readonly GraphQLOutputType[] {
  const found: GraphQLOutputType[] = [];
  const metadata = subgraphs.get(subgraph);
  const types = new TypeInfo(schema);
  visit(
    document,
    visitWithTypeInfo(types, {
      [Kind.FIELD]: ({ name }) => {
        const parent = types.getParentType();
        if (name.value !== fieldName || parent == null) return;
        for (const holder of metadata?.members.get(parent.name) ?? [parent.name]) {
          const ownType = metadata?.fields.get(`${holder}.${fieldName}`)?.ownType;
          const type =
            ownType === undefined
              ? fieldOf(schema.getType(holder), fieldName)?.type
              : typeFromAST(schema, parseType(ownType));
          if (type !== undefined) found.push(type as GraphQLOutputType);
        }
      },
    }),
  );
  return found;
}

/** Inputs for which the operation passes a nullable variable, and which no longer accept null. Validation allows such
 *  a variable when there is a default value, and then every null from a client fails. */
function findRefusedNulls(
  document: DocumentNode,
  old: GraphQLSchema,
  next: GraphQLSchema,
): readonly string[] {
  const before = new Set(findNullableInputs(document, old));
  return findNullableInputs(document, next).filter((coordinate) => !before.has(coordinate));
}

/** Arguments and input fields that accept no null, neither as a value nor in a list, and that may be given one. */
export function findNullableInputs(document: DocumentNode, schema: GraphQLSchema): readonly string[] {
  const nullable = new Set<string>();
  visit(document, {
    [Kind.VARIABLE_DEFINITION]: ({ variable, type }) => {
      if (type.kind !== Kind.NON_NULL_TYPE) nullable.add(variable.name.value);
    },
  });
  const found = new Set<string>();
  visitInputs(document, schema, (node, types, input) => {
    if (node.kind !== Kind.VARIABLE || !nullable.has(node.name.value)) return;
    if (input !== undefined && isNonNullType(types.getInputType())) found.add(input);
  });
  return [...found];
}
