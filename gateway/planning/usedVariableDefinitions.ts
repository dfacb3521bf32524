import {
  type ASTNode,
  Kind,
  type OperationDefinitionNode,
  type VariableDefinitionNode,
  visit,
} from 'graphql';

/** The definitions of the variables that a part of the operation uses. */
export function usedVariableDefinitions(
  { variableDefinitions = [] }: OperationDefinitionNode,
  part: ASTNode,
): readonly VariableDefinitionNode[] {
  const used = new Set<string>();
  visit(part, { [Kind.VARIABLE]: ({ name }) => void used.add(name.value) });
  return variableDefinitions.filter(({ variable }) => used.has(variable.name.value));
}
