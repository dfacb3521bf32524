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

/** Why an operation that was written for the old API does not work with the new one: it is refused, its variables may
 *  be, or values are not what its client takes them for. With values of enums and types that it does not know a client
 *  has to reckon. */
export function findBreakagesAfterRollout(
  operation: ConsumerOperation,
  after: { readonly kind: 'planned' } | FailedOperation,
  old: GraphQLSchema,
  next: GraphQLSchema,
): readonly Breakage[] {
  const trouble = (message: string, coordinates: readonly string[]): Breakage => ({
    operation,
    phase: 'after rollout',
    subgraph: undefined,
    message,
    coordinates,
  });
  const variables = findVariableDifferences(operationOf(operation.document), old, next).map(
    ({ description, coordinate }) => trouble(`its variables may be refused: ${description}`, [coordinate]),
  );
  if (after.kind === 'failed') {
    return [...after.problems.map(({ message, coordinates }) => trouble(message, coordinates)), ...variables];
  }
  return [
    ...variables,
    ...findRefusedNulls(operation.document, old, next).map((coordinate) =>
      trouble(`it may give null for ${coordinate}, which is not taken any more`, [coordinate]),
    ),
    ...findChangedValues(operation.document, old, next).map(({ coordinate, words }) =>
      trouble(`${coordinate} is not what it was: ${words}`, [coordinate]),
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
      .map(({ description }) => ({ coordinate, words: description }));
  });
}

function fieldOf(schema: GraphQLSchema, typeName: string, fieldName: string) {
  const type = schema.getType(typeName);
  return isObjectType(type) || isInterfaceType(type) ? type.getFields()[fieldName] : undefined;
}

/** Places for which the operation has a variable that may be null, where null is refused now. With a default value,
 *  validation lets such a variable pass, and each null of a client fails. */
function findRefusedNulls(
  document: DocumentNode,
  old: GraphQLSchema,
  next: GraphQLSchema,
): readonly string[] {
  const before = new Set(findNullableInputs(document, old));
  return findNullableInputs(document, next).filter((coordinate) => !before.has(coordinate));
}

/** Arguments and input fields that take no null, itself or as an item of their list, and may be given one. */
function findNullableInputs(document: DocumentNode, schema: GraphQLSchema): readonly string[] {
  const nullable = new Set<string>();
  visit(document, {
    [Kind.VARIABLE_DEFINITION]: ({ variable, type }) => {
      if (type.kind !== Kind.NON_NULL_TYPE) nullable.add(variable.name.value);
    },
  });
  const found = new Set<string>();
  const types = new TypeInfo(schema);
  /** The arguments and input fields that the walk is within. */
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
