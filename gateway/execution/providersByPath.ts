import { Kind, type SelectionSetNode } from 'graphql';
import type { RequiresSelection } from '../planning/queryPlan.ts';
import type { FlattenPath } from './flattenPath.ts';
import type { FetchStep } from './program.ts';

/** Per response path, without list indexes: the steps that provide it, in the order of the plan. Composite fields count as
 *  well. Names are internal ones. */
export function providersByPath(steps: readonly FetchStep[]): Map<string, Set<number>> {
  const providers = new Map<string, Set<number>>();
  for (const step of steps) {
    const prefix = pathText(step.path);
    visitSelection(step.shape.selection, prefix, (path) => add(path, step.index));
    for (const rewrite of step.shape.outputRewrites) {
      if (rewrite.kind !== 'KeyRenamer') continue;
      const names = rewrite.path.filter((part) => !part.startsWith('... on '));
      const renamed = [...names.slice(0, -1), rewrite.renameKeyTo].join('.');
      add(prefix === '' ? renamed : `${prefix}.${renamed}`, step.index);
    }
  }
  return providers;

  function add(path: string, index: number): void {
    const known = providers.get(path);
    if (known === undefined) providers.set(path, new Set([index]));
    else known.add(index);
  }
}

function visitSelection(set: SelectionSetNode, prefix: string, visit: (path: string) => void): void {
  for (const selection of set.selections) {
    if (selection.kind === Kind.INLINE_FRAGMENT) visitSelection(selection.selectionSet, prefix, visit);
    if (selection.kind !== Kind.FIELD) continue;
    const name = selection.alias?.value ?? selection.name.value;
    const path = prefix === '' ? name : `${prefix}.${name}`;
    visit(path);
    if (selection.selectionSet !== undefined) visitSelection(selection.selectionSet, path, visit);
  }
}

/** The paths of the inputs of an entity fetch. `prefix`: that of the entity. */
export function requiredPathsOf(requires: readonly RequiresSelection[], prefix: string): string[] {
  return requires.flatMap((selection) => {
    if (selection.kind === 'InlineFragment') return requiredPathsOf(selection.selections, prefix);
    const path = `${prefix}.${selection.alias ?? selection.name}`;
    return selection.selections === undefined ? [path] : requiredPathsOf(selection.selections, path);
  });
}

/** The end of the path of a `__typename`. */
export const typenameSuffix = '.__typename';

/** Response names without list markers. */
export function pathText(path: FlattenPath): string {
  return path.flatMap((segment) => (segment.kind === 'key' ? [segment.name] : [])).join('.');
}
