import { Kind, type OperationDefinitionNode, parse, print, visit } from 'graphql';
import type { Trial } from '../harness/trial.ts';

/** Splits an operation without fragment definitions into one operation per root field. */
export function splitRootFields({ source, variables }: Trial): Trial[] {
  const operation = parse(source).definitions[0] as OperationDefinitionNode;
  return operation.selectionSet.selections.map((field): Trial => {
    const used = new Set<string>();
    visit(field, { [Kind.VARIABLE]: ({ name }) => void used.add(name.value) });
    const variableDefinitions = (operation.variableDefinitions ?? []).filter(({ variable }) =>
      used.has(variable.name.value),
    );
    const selectionSet = { ...operation.selectionSet, selections: [field] };
    return {
      source: print({ ...operation, variableDefinitions, selectionSet }),
      variables: Object.fromEntries(Object.entries(variables).filter(([name]) => used.has(name))),
    };
  });
}
