import { type DocumentNode, Kind, type OperationDefinitionNode } from 'graphql';

/** The single operation of a document. */
export function operationOf({ definitions }: DocumentNode): OperationDefinitionNode {
  for (const definition of definitions) if (definition.kind === Kind.OPERATION_DEFINITION) return definition;
  throw new Error('The document has no operation.');
}
