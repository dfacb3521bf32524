import {
  type DocumentNode,
  type GraphQLSchema,
  isInterfaceType,
  isNonNullType,
  isObjectType,
  Kind,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import type { ConsumerOperation } from '../contractStore.ts';
import { inputCoordinateOf, isInputNode } from '../graph/errorCoordinatesOf.ts';
import { findVariableDifferences } from '../graph/findInputDifferences.ts';
import { findTypeDifferences } from '../graph/findOutputDifferences.ts';
import { operationOf } from '../graph/operationOf.ts';
import type { FailedOperation } from '../graph/planOnSupergraph.ts';
import type { Breakage } from './breakage.ts';
import { selectedFieldsOf } from './selectedFieldsOf.ts';

/** Finds why an operation that was written for the old API schema fails with the new one: it is refused, its
 *  variables may be refused, or values have other types. Unknown enum values and types are no breakage, because
 *  clients have to expect them. */
export function findBreakagesAfterRollout(
  operation: ConsumerOperation,
  after: { readonly kind: 'planned' } | FailedOperation,
  old: GraphQLSchema,
  next: GraphQLSchema,
): readonly Breakage[] {
  const toBreakage = (message: string, coordinates: readonly string[]): Breakage => ({
    operation,
    phase: 'after rollout',
    subgraph: undefined,
    message,
    coordinates,
  });
  const variables = findVariableDifferences(operationOf(operation.document), old, next).map(
    ({ description, coordinate }) => toBreakage(`its variables may be refused: ${description}`, [coordinate]),
  );
  if (after.kind === 'failed') {
    return [
      ...after.problems.map(({ message, coordinates }) => toBreakage(message, coordinates)),
      ...variables,
    ];
  }
  return [
    ...variables,
    ...findRefusedNulls(operation.document, old, next).map((coordinate) =>
      toBreakage(`it may pass null for ${coordinate}, which no longer accepts null`, [coordinate]),
    ),
    ...findChangedValues(operation.document, old, next).map(({ coordinate, description }) =>
      toBreakage(`${coordinate} has another type: ${description}`, [coordinate]),
    ),
  ];
}

function findChangedValues(document: DocumentNode, old: GraphQLSchema, next: GraphQLSchema) {
  return selectedFieldsOf(old, document).flatMap(({ typeName, fieldName, coordinate }) => {
    const before = fieldOf(old, typeName, fieldName);
    const after = fieldOf(next, typeName, fieldName);
    if (before === undefined || after === undefined) return [];
    return findTypeDifferences(before.type, after.type, old, next)
      .filter(({ kind }) => kind !== 'unknown value')
      .map(({ description }) => ({ coordinate, description }));
  });
}

function fieldOf(schema: GraphQLSchema, typeName: string, fieldName: string) {
  const type = schema.getType(typeName);
  return isObjectType(type) || isInterfaceType(type) ? type.getFields()[fieldName] : undefined;
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
function findNullableInputs(document: DocumentNode, schema: GraphQLSchema): readonly string[] {
  const nullable = new Set<string>();
  visit(document, {
    [Kind.VARIABLE_DEFINITION]: ({ variable, type }) => {
      if (type.kind !== Kind.NON_NULL_TYPE) nullable.add(variable.name.value);
    },
  });
  const found = new Set<string>();
  const types = new TypeInfo(schema);
  /** The arguments and input fields around the visited node. */
  const inputs: string[] = [];
  visit(
    document,
    visitWithTypeInfo(types, {
      enter: (node) => {
        if (isInputNode(node)) inputs.push(inputCoordinateOf(node, types));
        if (node.kind !== Kind.VARIABLE || !nullable.has(node.name.value)) return;
        const input = inputs.at(-1);
        if (input !== undefined && isNonNullType(types.getInputType())) found.add(input);
      },
      leave: (node) => {
        if (isInputNode(node)) inputs.pop();
      },
    }),
  );
  return [...found];
}
