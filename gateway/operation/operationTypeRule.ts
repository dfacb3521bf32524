import { type ASTVisitor, GraphQLError, type ValidationContext } from 'graphql';
import { specificationRules } from './validateDocument.ts';

/** Validation rule: the schema has the root type of each operation. The GraphQL specification demands it, and graphql-js 16
 *  does not check it. The message is that of graphql-js 17. */
export function OperationTypeRule(context: ValidationContext): ASTVisitor {
  return {
    OperationDefinition(node) {
      if (context.getSchema().getRootType(node.operation) != null) return;
      const message = `The ${node.operation} operation is not supported by the schema.`;
      context.reportError(new GraphQLError(message, { nodes: node }));
    },
  };
}

/** For `validateDocument`: what an operation needs in order to be executed or planned. */
export const executableRules = [...specificationRules, OperationTypeRule];
