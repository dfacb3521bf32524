import {
  type DocumentNode,
  Kind,
  type OperationDefinitionNode,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import type { Supergraph } from '../supergraph/supergraph.ts';

/** Labels of progressive `@override`s that the plan of an operation can depend on, sorted. Fields are counted
 *  whatever conditions they stand under. */
export function relevantOverrides(
  { overrides, apiSchema }: Pick<Supergraph, 'overrides' | 'apiSchema'>,
  document: DocumentNode,
  operation: OperationDefinitionNode | undefined,
): readonly string[] {
  if (overrides.size === 0) return [];
  const labels = new Set<string>();
  const add = (key: string): void => {
    for (const label of overrides.get(key) ?? []) labels.add(label);
  };
  const types = new TypeInfo(apiSchema);
  visit(
    document,
    visitWithTypeInfo(types, {
      [Kind.OPERATION_DEFINITION]: (node) =>
        operation === undefined || node === operation ? undefined : false,
      [Kind.FIELD]: (node) => {
        const parent = types.getParentType()?.name;
        if (parent === undefined) return;
        add(parent);
        add(`${parent}.${node.name.value}`);
      },
    }),
  );
  return [...labels].sort();
}
