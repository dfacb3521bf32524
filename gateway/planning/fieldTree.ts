import { type FieldNode, Kind, type SelectionSetNode } from 'graphql';
import { getOrInsertComputed } from '../sharing/getOrInsertComputed.ts';
import type { RequiresSelection } from './queryPlan.ts';

/** A selection set as response names, each with its lazily built subtree. Type conditions are ignored. */
export interface FieldTree extends ReadonlyMap<string, () => FieldTree> {}

export const emptyFieldTree: FieldTree = new Map();

export function fieldTreeOf(sets: readonly SelectionSetNode[]): FieldTree {
  const byName = new Map<string, SelectionSetNode[]>();
  for (const set of sets) gatherSelectionSets(set, byName);
  return new Map([...byName].map(([name, inner]) => [name, () => fieldTreeOf(inner)]));
}

/** Adds the response names of a selection set to `byName`, with the selection sets below each. Ignores type conditions. */
export function gatherSelectionSets(set: SelectionSetNode, byName: Map<string, SelectionSetNode[]>): void {
  for (const selection of set.selections) {
    if (selection.kind === Kind.INLINE_FRAGMENT) gatherSelectionSets(selection.selectionSet, byName);
    if (selection.kind !== Kind.FIELD) continue;
    const below = getOrInsertComputed(byName, responseNameOf(selection), () => []);
    if (selection.selectionSet !== undefined) below.push(selection.selectionSet);
  }
}

export function fieldTreeOfRequires(selections: readonly RequiresSelection[]): FieldTree {
  const byName = new Map<string, RequiresSelection[]>();
  const gather = (list: readonly RequiresSelection[]): void => {
    for (const selection of list) {
      if (selection.kind === 'InlineFragment') gather(selection.selections);
      else getOrInsertComputed(byName, selection.name, () => []).push(...(selection.selections ?? []));
    }
  };
  gather(selections);
  return new Map([...byName].map(([name, inner]) => [name, () => fieldTreeOfRequires(inner)]));
}

export function responseNameOf({ alias, name }: FieldNode): string {
  return (alias ?? name).value;
}

/** The path of a field of the objects at `path`, with dots between names. */
export function pathBelow(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
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
