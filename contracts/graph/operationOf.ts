import { type DocumentNode, Kind, type OperationDefinitionNode } from 'graphql';

/** The one operation of a document, among the fragments that it uses. */
export function operationOf({ definitions }: DocumentNode): OperationDefinitionNode {
  for (const definition of definitions) if (definition.kind === Kind.OPERATION_DEFINITION) return definition;
  throw new Error('The document has no operation.');
}
