import {
  type DocumentNode,
  execute,
  type FieldNode,
  type GraphQLSchema,
  Kind,
  type OperationDefinitionNode,
} from 'graphql';
import type { Selection, SelectionSet } from './selection.ts';

/** A document with the operation's root introspection fields, under their internal names; `undefined` where it
 *  has none. */
export function introspectionDocument(
  operation: OperationDefinitionNode,
  root: SelectionSet,
): DocumentNode | undefined {
  const fields = root.selections.flatMap(introspectionField);
  if (fields.length === 0) return undefined;
  return {
    kind: Kind.DOCUMENT,
    definitions: [
      {
        kind: Kind.OPERATION_DEFINITION,
        operation: operation.operation,
        variableDefinitions: operation.variableDefinitions ?? [],
        selectionSet: { kind: Kind.SELECTION_SET, selections: fields },
      },
    ],
  };
}

/** What the schema says of itself, by internal names. Only `__type(name:)` can depend on variables. */
export function answerIntrospection(
  schema: GraphQLSchema,
  document: DocumentNode,
  variables: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const result = execute({ schema, document, variableValues: { ...variables } });
  if ('then' in result) throw new Error('Introspection is synchronous.');
  if (result.data == null) throw new Error(`Introspection failed: ${result.errors?.[0]?.message}`);
  return result.data;
}

function introspectionField(selection: Selection): FieldNode[] {
  if (selection.kind === 'Deferred') return selection.own.selections.flatMap(introspectionField);
  if (selection.kind !== 'Field') return [];
  if (selection.fieldName !== '__schema' && selection.fieldName !== '__type') return [];
  return [
    {
      kind: Kind.FIELD,
      alias: { kind: Kind.NAME, value: selection.internalName },
      name: { kind: Kind.NAME, value: selection.fieldName },
      arguments: selection.arguments,
      selectionSet: { kind: Kind.SELECTION_SET, selections: selectionNodes(selection.set) },
    },
  ];
}

function selectionNodes(set: SelectionSet | undefined): FieldNode[] {
  return (set?.selections ?? []).flatMap((selection): FieldNode[] => {
    switch (selection.kind) {
      case 'Field':
        return [
          {
            kind: Kind.FIELD,
            alias: { kind: Kind.NAME, value: selection.internalName },
            name: { kind: Kind.NAME, value: selection.fieldName },
            arguments: selection.arguments,
            ...(selection.set === undefined
              ? {}
              : { selectionSet: { kind: Kind.SELECTION_SET, selections: selectionNodes(selection.set) } }),
          },
        ];
      case 'Fragment':
        return selectionNodes(selection.set);
      case 'Deferred':
        return selectionNodes(selection.own);
    }
  });
}
