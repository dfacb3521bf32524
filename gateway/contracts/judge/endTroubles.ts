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

/** Arguments for which the operation has a variable that may be null, where null is refused now. With a default value,
 *  validation lets such a variable pass, and each null of a client fails. */
function refusedNulls(document: DocumentNode, old: GraphQLSchema, next: GraphQLSchema): readonly string[] {
  const before = new Set(nullsForNonNull(document, old));
  return nullsForNonNull(document, next).filter((coordinate) => !before.has(coordinate));
}

function nullsForNonNull(document: DocumentNode, schema: GraphQLSchema): readonly string[] {
  const nullable = new Set<string>();
  visit(document, {
    [Kind.VARIABLE_DEFINITION]: ({ variable, type }) => {
      if (type.kind !== Kind.NON_NULL_TYPE) nullable.add(variable.name.value);
    },
  });
  const found = new Set<string>();
  const types = new TypeInfo(schema);
  visit(
    document,
    visitWithTypeInfo(types, {
      [Kind.ARGUMENT]: ({ name, value }) => {
        const argument = types.getArgument();
        if (value.kind !== Kind.VARIABLE || !nullable.has(value.name.value)) return;
        if (argument == null || !isNonNullType(argument.type)) return;
        found.add(`${types.getParentType()?.name}.${types.getFieldDef()?.name}(${name.value}:)`);
      },
    }),
  );
  return [...found];
}
