import {
  type ASTVisitor,
  type DirectiveNode,
  type FragmentSpreadNode,
  GraphQLError,
  type InlineFragmentNode,
  Kind,
  OperationTypeNode,
  type SelectionSetNode,
  type ValidationContext,
} from 'graphql';

/** Validation rule of incremental delivery: the label of a `@defer` is a literal and unique in the document. Clients find the
 *  fragment of a payload by its label. */
export function DeferDirectiveLabelRule(context: ValidationContext): ASTVisitor {
  const known = new Map<string, DirectiveNode>();
  return {
    Directive(node) {
      if (node.name.value !== 'defer') return;
      const label = node.arguments?.find((argument) => argument.name.value === 'label')?.value;
      if (label?.kind === Kind.VARIABLE) {
        context.reportError(
          new GraphQLError('The label of a @defer must be a string literal, not a variable.', {
            nodes: label,
          }),
        );
      }
      if (label?.kind !== Kind.STRING) return;
      const earlier = known.get(label.value);
      if (earlier === undefined) known.set(label.value, node);
      else {
        context.reportError(
          new GraphQLError(
            `Two uses of @defer have the label ${JSON.stringify(label.value)}; give each its own.`,
            { nodes: [earlier, node] },
          ),
        );
      }
    },
  };
}

/** Validation rule of incremental delivery: no `@defer` around root fields of a mutation, which run one after the other, or
 *  of a subscription. The rule follows fragment spreads, because a fragment on the root type may be spread elsewhere, too. */
export function DeferDirectiveOnRootFieldRule(context: ValidationContext): ASTVisitor {
  return {
    OperationDefinition({ operation, selectionSet }) {
      if (operation === OperationTypeNode.QUERY) return;
      const seen = new Set<string>();
      check(selectionSet);

      function check({ selections }: SelectionSetNode): void {
        for (const selection of selections) {
          if (selection.kind === Kind.FIELD) continue;
          checkFragment(selection);
          if (selection.kind === Kind.INLINE_FRAGMENT) check(selection.selectionSet);
          else if (!seen.has(selection.name.value)) {
            seen.add(selection.name.value);
            const fragment = context.getFragment(selection.name.value);
            if (fragment) check(fragment.selectionSet);
          }
        }
      }

      function checkFragment({ directives }: InlineFragmentNode | FragmentSpreadNode): void {
        const defer = directives?.find((directive) => directive.name.value === 'defer');
        const condition = defer?.arguments?.find((argument) => argument.name.value === 'if')?.value;
        // `@defer(if: false)` never defers.
        if (defer === undefined || (condition?.kind === Kind.BOOLEAN && !condition.value)) return;
        context.reportError(
          new GraphQLError(
            `Root fields of a ${operation} cannot be deferred. Use @defer inside the fields that they return.`,
            { nodes: defer },
          ),
        );
      }
    },
  };
}
