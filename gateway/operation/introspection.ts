import {
  type DocumentNode,
  execute,
  type FieldNode,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
} from 'graphql';
import { GatewayError } from '../errors.ts';
import { usedVariableDefinitions } from '../planning/usedVariableDefinitions.ts';
import type { FieldSelection, Selection, SelectionSet } from './selection.ts';

/** A document with the introspection fields at the root of the operation, under their internal names. `undefined` if
 *  there are none. */
export function createIntrospectionDocument(
  operation: OperationDefinitionNode,
  root: SelectionSet,
): DocumentNode | undefined {
  const fields = root.selections.flatMap(introspectionFieldsOf);
  if (fields.length === 0) return undefined;
  const selectionSet = { kind: Kind.SELECTION_SET, selections: fields } as const;
  return {
    kind: Kind.DOCUMENT,
    definitions: [
      {
        kind: Kind.OPERATION_DEFINITION,
        operation: operation.operation,
        // graphql-js would coerce the other variables again, as the client sent them.
        variableDefinitions: usedVariableDefinitions(operation, selectionSet),
        selectionSet,
      },
    ],
  };
}

/** Executes introspection fields. Keys of the result are internal names. Only `__type(name:)` can depend on variables.
 *  @throws {GatewayError} `BAD_USER_INPUT` for the null of a variable that is nullable because it has a default. */
export function executeIntrospection(
  schema: GraphQLSchema,
  document: DocumentNode,
  variables: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const result = execute({ schema, document, variableValues: { ...variables } });
  if ('then' in result) throw new Error('Introspection is synchronous.');
  const [error] = result.errors ?? [];
  if (error !== undefined) throw new GatewayError('BAD_USER_INPUT', error.message);
  return result.data ?? {};
}

function introspectionFieldsOf(selection: Selection): FieldNode[] {
  if (selection.kind === 'Deferred') return selection.own.selections.flatMap(introspectionFieldsOf);
  if (selection.kind !== 'Field') return [];
  if (selection.fieldName !== '__schema' && selection.fieldName !== '__type') return [];
  return [fieldNode(selection)];
}

function fieldNode(field: FieldSelection): FieldNode {
  return {
    kind: Kind.FIELD,
    alias: { kind: Kind.NAME, value: field.internalName },
    name: { kind: Kind.NAME, value: field.fieldName },
    arguments: field.arguments,
    ...(field.selectionSet === undefined
      ? {}
      : { selectionSet: { kind: Kind.SELECTION_SET, selections: selectionNodes(field.selectionSet) } }),
  };
}

function selectionNodes(set: SelectionSet | undefined): FieldNode[] {
  return (set?.selections ?? []).flatMap((selection): FieldNode[] => {
    if (selection.kind === 'Fragment') return selectionNodes(selection.selectionSet);
    if (selection.kind === 'Deferred') return selectionNodes(selection.own);
    return [fieldNode(selection)];
  });
}
