import {
  type ASTVisitor,
  GraphQLError,
  getNamedType,
  isInputObjectType,
  Kind,
  print,
  type ValidationContext,
  type VariableNode,
} from 'graphql';

/** Validation rule: a variable for a field of a `@oneOf` type is of a non-null type. The GraphQL specification demands it.
 *  graphql-js 16 checks it only where the `@oneOf` type itself is nullable, and not for `By!` or `[By]`. The message is
 *  that of graphql-js. */
export function OneOfVariablesRule(context: ValidationContext): ASTVisitor {
  /** Names of the `@oneOf` types by the variables for their fields. */
  const types = new Map<VariableNode, string>();
  return {
    ObjectField({ value }) {
      const given = context.getParentInputType();
      const type = getNamedType(given);
      // graphql-js checks variables where no wrapper is around the type.
      if (value.kind !== Kind.VARIABLE || type === given || !isInputObjectType(type) || !type.isOneOf) return;
      types.set(value, type.name);
    },
    Document: {
      leave({ definitions }) {
        if (types.size === 0) return;
        for (const operation of definitions) {
          if (operation.kind !== Kind.OPERATION_DEFINITION) continue;
          for (const { node } of context.getRecursiveVariableUsages(operation)) {
            const oneOfType = types.get(node);
            const name = node.name.value;
            const definition = operation.variableDefinitions?.find(
              ({ variable }) => variable.name.value === name,
            );
            if (oneOfType === undefined || definition === undefined) continue;
            if (definition.type.kind === Kind.NON_NULL_TYPE) continue;
            const message = `Variable "$${name}" is of type "${print(definition.type)}" but must be non-nullable to be used for OneOf Input Object "${oneOfType}".`;
            context.reportError(new GraphQLError(message, { nodes: [definition, node] }));
          }
        }
      },
    },
  };
}
