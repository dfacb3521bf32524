import { type ASTVisitor, type DirectiveNode, GraphQLError, Kind, type ValidationContext } from 'graphql';

/** A rule of incremental delivery: the label of a `@defer` is a literal, and no other `@defer` of the document has
 *  it. A client finds the fragment that a payload belongs to by its label. */
export function DeferDirectiveLabelRule(context: ValidationContext): ASTVisitor {
  const known = new Map<string, DirectiveNode>();
  return {
    Directive(node) {
      if (node.name.value !== 'defer') return;
      const label = node.arguments?.find((argument) => argument.name.value === 'label')?.value;
      if (label?.kind === Kind.VARIABLE) {
        context.reportError(
          new GraphQLError('The label of a @defer must be written out; it cannot be a variable.', {
            nodes: label,
          }),
        );
      }
      if (label?.kind !== Kind.STRING) return;
      const other = known.get(label.value);
      if (other === undefined) known.set(label.value, node);
      else {
        context.reportError(
          new GraphQLError(
            `Two uses of @defer have the label ${JSON.stringify(label.value)}; give each its own.`,
            { nodes: [other, node] },
          ),
        );
      }
    },
  };
}
