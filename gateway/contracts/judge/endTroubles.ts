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
import { inputCoordinate, isInput } from '../graph/errorCoordinates.ts';
import { variableDifferences } from '../graph/inputDifferences.ts';
import { operationOf } from '../graph/operationOf.ts';
import { typeDifferences } from '../graph/outputDifferences.ts';
import type { FailedOperation } from '../graph/planOnSupergraph.ts';
import { selectedFields } from './selectedFields.ts';
import type { Trouble } from './trouble.ts';

/** Why an operation that was written for the old API does not work with the new one: it is refused, its variables may
 *  be, or values are not what its client takes them for. With values of enums and types that it does not know a client
 *  has to reckon. */
export function endTroubles(
  operation: ConsumerOperation,
  after: { readonly kind: 'planned' } | FailedOperation,
  old: GraphQLSchema,
  next: GraphQLSchema,
): readonly Trouble[] {
  const trouble = (message: string, coordinates: readonly string[]): Trouble => ({
    operation,
    phase: 'in the end',
    subgraph: undefined,
    message,
    coordinates,
  });
  const variables = variableDifferences(operationOf(operation.document), old, next).map(
    ({ words, coordinate }) => trouble(`its variables may be refused: ${words}`, [coordinate]),
  );
  if (after.kind === 'failed') {
    return [...after.problems.map(({ message, coordinates }) => trouble(message, coordinates)), ...variables];
  }
  return [
    ...variables,
    ...refusedNulls(operation.document, old, next).map((coordinate) =>
      trouble(`it may give null for ${coordinate}, which is not taken any more`, [coordinate]),
    ),
    ...changedValues(operation.document, old, next).map(({ coordinate, words }) =>
      trouble(`${coordinate} is not what it was: ${words}`, [coordinate]),
    ),
  ];
}

function changedValues(document: DocumentNode, old: GraphQLSchema, next: GraphQLSchema) {
  return selectedFields(old, document).flatMap(({ typeName, fieldName, coordinate }) => {
    const before = fieldOf(old, typeName, fieldName);
    const after = fieldOf(next, typeName, fieldName);
    if (before === undefined || after === undefined) return [];
    return typeDifferences(before.type, after.type, old, next)
      .filter(({ kind }) => kind !== 'unknown value')
      .map(({ words }) => ({ coordinate, words }));
  });
}

function fieldOf(schema: GraphQLSchema, typeName: string, fieldName: string) {
  const type = schema.getType(typeName);
  return isObjectType(type) || isInterfaceType(type) ? type.getFields()[fieldName] : undefined;
}

/** Places for which the operation has a variable that may be null, where null is refused now. With a default value,
 *  validation lets such a variable pass, and each null of a client fails. */
function refusedNulls(document: DocumentNode, old: GraphQLSchema, next: GraphQLSchema): readonly string[] {
  const before = new Set(nullsForNonNull(document, old));
  return nullsForNonNull(document, next).filter((coordinate) => !before.has(coordinate));
}

/** Arguments and input fields that take no null, itself or as an item of their list, and may be given one. */
function nullsForNonNull(document: DocumentNode, schema: GraphQLSchema): readonly string[] {
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
        if (isInput(node)) inputs.push(inputCoordinate(node, types));
        if (node.kind !== Kind.VARIABLE || !nullable.has(node.name.value)) return;
        const input = inputs.at(-1);
        if (input !== undefined && isNonNullType(types.getInputType())) found.add(input);
      },
      leave: (node) => {
        if (isInput(node)) inputs.pop();
      },
    }),
  );
  return [...found];
}
