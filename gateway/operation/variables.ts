import {
  type DocumentNode,
  type GraphQLError,
  type GraphQLSchema,
  getVariableValues,
  Kind,
  type OperationDefinitionNode,
  visit,
} from 'graphql';

export type CoercedVariables =
  | { readonly kind: 'coerced'; readonly values: Readonly<Record<string, unknown>> }
  | { readonly kind: 'refused'; readonly errors: readonly GraphQLError[] };

/** Checks the client's variables against the operation's definitions and fills in defaults. */
export function coerceVariables(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
  given: Readonly<Record<string, unknown>>,
): CoercedVariables {
  const definitions = operation.variableDefinitions ?? [];
  if (definitions.length === 0) return { kind: 'coerced', values: none };
  // Object.prototype's members are no variables: a copy without it keeps `toString` from being one.
  const own = Object.assign(Object.create(null) as Record<string, unknown>, given);
  const result = getVariableValues(schema, definitions, own, { maxErrors: 50 });
  if (result.errors !== undefined) return { kind: 'refused', errors: result.errors };
  return { kind: 'coerced', values: result.coerced ?? none };
}

const none: Readonly<Record<string, unknown>> = Object.freeze(Object.create(null));

/** Names of the variables that `@skip`, `@include` or `@defer(if:)` use anywhere in the document, sorted. */
export function conditionVariables(document: DocumentNode): readonly string[] {
  const names = new Set<string>();
  visit(document, {
    [Kind.DIRECTIVE]: (directive) => {
      const name = directive.name.value;
      if (name !== 'skip' && name !== 'include' && name !== 'defer') return;
      for (const argument of directive.arguments ?? []) {
        if (argument.name.value === 'if' && argument.value.kind === Kind.VARIABLE) {
          names.add(argument.value.name.value);
        }
      }
    },
  });
  return [...names].sort();
}
