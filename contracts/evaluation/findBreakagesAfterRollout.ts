import {
  type DocumentNode,
  type GraphQLOutputType,
  type GraphQLSchema,
  isNonNullType,
  Kind,
  visit,
} from 'graphql';
import type { ConsumerOperation } from '../contractStore.ts';
import { fieldOf } from '../graph/fieldOf.ts';
import { findVariableDifferences } from '../graph/findInputDifferences.ts';
import { findInvalidUses } from '../graph/findInvalidUses.ts';
import { findTypeDifferences } from '../graph/findOutputDifferences.ts';
import { operationOf } from '../graph/operationOf.ts';
import type { FailedOperation } from '../graph/planOnSupergraph.ts';
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
  /** The schema of the new supergraph with the elements that clients do not see. */
  served: () => GraphQLSchema,
  plans: PlannedValues = unknownValues,
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
    ...findChangedValues(fields, old, next, plans).map(({ coordinate, description }) =>
      toBreakage(`${coordinate} has another type: ${description}`, [coordinate]),
    ),
    ...[...findHiddenValues(fields, old, next, served), ...findUnmatchedTypes(document, old, next)].map(
      ({ message, coordinates }) => toBreakage(message, coordinates),
    ),
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
  /** The types that a field of any type with this name has in the subgraphs that it is fetched from. */
  servedTypesOf(fieldName: string): readonly ServedType[];
}

interface ServedType {
  readonly type: GraphQLOutputType;
  readonly servedIn: GraphQLSchema;
}

const unknownValues: PlannedValues = { acceptNull: () => false, servedTypesOf: () => [] };

function findChangedValues(
  fields: readonly SelectedField[],
  old: GraphQLSchema,
  next: GraphQLSchema,
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
    const served = plans.servedTypesOf(fieldName);
    const isSame =
      served.length > 0 && served.every((one) => differences(one.type, one.servedIn).length === 0);
    return isSame ? [] : changed.map(({ description }) => ({ coordinate, description }));
  });
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
