import { type DocumentNode, Kind, type OperationDefinitionNode, type OperationTypeNode } from 'graphql';

/** The single operation of a document. */
export function operationOf({ definitions }: DocumentNode): OperationDefinitionNode {
  for (const definition of definitions) if (definition.kind === Kind.OPERATION_DEFINITION) return definition;
  throw new Error('The document has no operation.');
}

/** The name that a graph has for the root type of a kind of operation. */
export function rootTypeNameOf(kind: OperationTypeNode): string {
  return `${kind.charAt(0).toUpperCase()}${kind.slice(1)}`;
}
