import {
  type DocumentNode,
  GraphQLError,
  type GraphQLSchema,
  Kind,
  OperationTypeNode,
  type SelectionSetNode,
  specifiedRules,
  type ValidationRule,
  validate,
} from 'graphql';
import { fragmentsOf } from './fragmentsOf.ts';
import { OneOfVariablesRule } from './oneOfVariablesRule.ts';

/** The rules of the GraphQL specification for a document. */
export const specificationRules: readonly ValidationRule[] = [...specifiedRules, OneOfVariablesRule];

/** graphql-js's `validate`, which throws for a document that `findConditionalRootFields` finds errors in. */
export function validateDocument(
  schema: GraphQLSchema,
  document: DocumentNode,
  rules = specificationRules,
): readonly GraphQLError[] {
  const errors = findConditionalRootFields(document);
  return errors.length > 0 ? errors : validate(schema, document, rules);
}

/** One error for each `@skip` and `@include` on the root field of a subscription, or on a fragment around it: a subscription
 *  has exactly one root field, always (section 5.2.4.1 of the GraphQL specification). */
export function findConditionalRootFields(document: DocumentNode): readonly GraphQLError[] {
  const errors: GraphQLError[] = [];
  const unvisited = fragmentsOf(document);
  const visitRoot = ({ selections }: SelectionSetNode): void => {
    for (const selection of selections) {
      for (const directive of selection.directives ?? []) {
        const name = directive.name.value;
        if (name !== 'skip' && name !== 'include') continue;
        const message = `@${name} is not allowed on the root field of a subscription, because a subscription always has exactly one.`;
        errors.push(new GraphQLError(message, { nodes: directive }));
      }
      if (selection.kind === Kind.INLINE_FRAGMENT) visitRoot(selection.selectionSet);
      if (selection.kind !== Kind.FRAGMENT_SPREAD) continue;
      const fragment = unvisited.get(selection.name.value);
      unvisited.delete(selection.name.value);
      if (fragment !== undefined) visitRoot(fragment.selectionSet);
    }
  };
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.OPERATION_DEFINITION) continue;
    if (definition.operation === OperationTypeNode.SUBSCRIPTION) visitRoot(definition.selectionSet);
  }
  return errors;
}
