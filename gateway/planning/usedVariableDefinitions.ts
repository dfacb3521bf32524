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

/** The operation without the variables that it does not use, which would be invalid. */
export function withUsedVariables(operation: OperationDefinitionNode): OperationDefinitionNode {
  const part = { ...operation, variableDefinitions: [] };
  return { ...operation, variableDefinitions: usedVariableDefinitions(operation, part) };
}
