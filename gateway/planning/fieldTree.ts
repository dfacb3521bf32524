import { Kind, type SelectionSetNode } from 'graphql';
import type { RequiresSelection } from './queryPlan.ts';

/** A selection set as response names, each with its lazily built subtree. Type conditions are ignored. */
export interface FieldTree extends ReadonlyMap<string, () => FieldTree> {}

export const emptyFieldTree: FieldTree = new Map();

export function fieldTreeOf(sets: readonly SelectionSetNode[]): FieldTree {
  const byName = new Map<string, SelectionSetNode[]>();
  const gather = (set: SelectionSetNode): void => {
    for (const selection of set.selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) gather(selection.selectionSet);
      if (selection.kind !== Kind.FIELD) continue;
      const name = (selection.alias ?? selection.name).value;
      byName.set(name, [
        ...(byName.get(name) ?? []),
        ...(selection.selectionSet ? [selection.selectionSet] : []),
      ]);
    }
  };
  for (const set of sets) gather(set);
  return new Map([...byName].map(([name, inner]) => [name, () => fieldTreeOf(inner)]));
}

export function fieldTreeOfRequires(selections: readonly RequiresSelection[]): FieldTree {
  const byName = new Map<string, RequiresSelection[]>();
  const gather = (list: readonly RequiresSelection[]): void => {
    for (const selection of list) {
      if (selection.kind === 'InlineFragment') gather(selection.selections);
      else
        byName.set(selection.name, [...(byName.get(selection.name) ?? []), ...(selection.selections ?? [])]);
    }
  };
  gather(selections);
  return new Map([...byName].map(([name, inner]) => [name, () => fieldTreeOfRequires(inner)]));
}

export function isFieldSubset(subset: FieldTree, all: FieldTree): boolean {
  for (const [name, below] of subset) {
    const same = all.get(name);
    if (same === undefined) {
      if (name !== '__typename') return false;
    } else if (!isFieldSubset(below(), same())) return false;
  }
  return true;
}
