import {
  type ASTVisitor,
  type FragmentSpreadNode,
  GraphQLError,
  type InlineFragmentNode,
  Kind,
  OperationTypeNode,
  type SelectionSetNode,
  type ValidationContext,
} from 'graphql';

/** A rule of incremental delivery: no `@defer` around root fields of a mutation, which run one after the other, or
 *  of a subscription. Through fragments as well: what a fragment is on says nothing about where it is spread. */
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
        // Written so, it never defers.
        if (defer === undefined || (condition?.kind === Kind.BOOLEAN && !condition.value)) return;
        context.reportError(
          new GraphQLError(
            `Root fields of a ${operation} cannot be deferred; use @defer within the fields that they return.`,
            { nodes: defer },
          ),
        );
      }
    },
  };
}
