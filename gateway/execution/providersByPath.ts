import { Kind, type SelectionSetNode } from 'graphql';
import { pathBelow, responseNameOf } from '../planning/fieldTree.ts';
import type { RequiresSelection } from '../planning/queryPlan.ts';
import { getOrInsertComputed } from '../sharing/getOrInsertComputed.ts';
import type { FlattenPath, InputPath } from './flattenPath.ts';
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
      add(pathBelow(prefix, renamed), step.index);
    }
  }
  return providers;

  function add(path: string, index: number): void {
    getOrInsertComputed(providers, path, () => new Set()).add(index);
  }
}

function visitSelection(set: SelectionSetNode, prefix: string, visit: (path: string) => void): void {
  for (const selection of set.selections) {
    if (selection.kind === Kind.INLINE_FRAGMENT) visitSelection(selection.selectionSet, prefix, visit);
    if (selection.kind !== Kind.FIELD) continue;
    const path = pathBelow(prefix, responseNameOf(selection));
    visit(path);
    if (selection.selectionSet !== undefined) visitSelection(selection.selectionSet, path, visit);
  }
}

/** The paths of the inputs of an entity fetch. `path`: that of the entity. */
export function requiredPathsOf(requires: readonly RequiresSelection[], path: FlattenPath): InputPath[] {
  const names = keysOf(path);
  return visit(
    requires,
    names.join('.'),
    names.map(() => []),
    [],
  );

  function visit(
    selections: readonly RequiresSelection[],
    prefix: string,
    outer: InputPath['conditions'],
    enclosing: readonly string[],
  ): InputPath[] {
    return selections.flatMap((selection) => {
      if (selection.kind === 'InlineFragment') {
        const { typeCondition } = selection;
        const inner = typeCondition === undefined ? enclosing : [...enclosing, typeCondition];
        return visit(selection.selections, prefix, outer, inner);
      }
      const inputPath = `${prefix}.${selection.alias ?? selection.name}`;
      const conditions = [...outer, enclosing];
      return selection.selections === undefined
        ? [{ path: inputPath, conditions }]
        : visit(selection.selections, inputPath, conditions, []);
    });
  }
}

/** The end of the path of a `__typename`. */
export const typenameSuffix = '.__typename';

/** Response names without list markers. */
export function pathText(path: FlattenPath): string {
  return keysOf(path).join('.');
}

function keysOf(path: FlattenPath): string[] {
  return path.flatMap((segment) => (segment.kind === 'key' ? [segment.name] : []));
}
