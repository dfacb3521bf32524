import {
  type DocumentNode,
  Kind,
  type OperationDefinitionNode,
  parse,
  TypeInfo,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import { listOverrideLabels } from '../planning/overrideLabels.ts';
import type { Supergraph } from '../supergraph/supergraph.ts';

type LabelledSupergraph = Pick<Supergraph, 'overrides' | 'apiSchema'>;

/** Sorted labels of progressive `@override`s that the plan of an operation can depend on, for any values of its
 *  conditions. Without `operation`, of all operations in the document. */
export function relevantOverrides(
  { overrides, apiSchema }: LabelledSupergraph,
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

/** The label sets to plan a printed operation with for the next supergraph, when it was used with `overrides` on the
 *  previous one. A label that is new in the next supergraph, such as one with a changed percentage, may be active or not. */
export function overridesToWarm(
  next: LabelledSupergraph,
  previous: LabelledSupergraph,
  operation: string,
  overrides: readonly string[],
): readonly (readonly string[])[] {
  if (next.overrides.size === 0) return [[]];
  const before = new Set(listOverrideLabels(previous.overrides));
  const relevant = relevantOverrides(next, parse(operation, { noLocation: true }), undefined);
  const known = relevant.filter((label) => overrides.includes(label));
  const withNew = relevant.filter((label) => overrides.includes(label) || !before.has(label));
  return withNew.length === known.length ? [known] : [known, withNew];
}
