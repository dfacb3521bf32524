import {
  type ASTVisitor,
  type FloatValueNode,
  GraphQLError,
  GraphQLFloat,
  getNamedType,
  type IntValueNode,
  type ValidationContext,
  type VariableDefinitionNode,
} from 'graphql';
import { truncate } from '../json/truncate.ts';

/** Validation rule: a literal of type `Float` is in the range of a double. The GraphQL specification demands it, and graphql-js
 *  does not check it. */
export function FloatLiteralsRule(context: ValidationContext): ASTVisitor {
  let variable: VariableDefinitionNode | undefined;
  return {
    VariableDefinition: {
      enter: (node) => {
        variable = node;
      },
      leave: () => {
        variable = undefined;
      },
    },
    IntValue: check,
    FloatValue: check,
  };

  function check(node: IntValueNode | FloatValueNode): void {
    if (Number.isFinite(Number(node.value))) return;
    if (getNamedType(context.getInputType() ?? undefined) !== GraphQLFloat) return;
    const holder =
      variable === undefined
        ? `argument "${context.getArgument()?.name}" has`
        : `default of variable "$${variable.variable.name.value}" has`;
    context.reportError(
      new GraphQLError(
        `The ${holder} the value ${truncate(node.value, maxQuotedLength)}, which is too large for a Float.`,
        {
          nodes: node,
        },
      ),
    );
  }
}

const maxQuotedLength = 40;
