import { Kind, type SelectionSetNode } from 'graphql';
import type { RequiresSelection } from './queryPlan.ts';

/** Response names with what is selected below each, type conditions aside. */
export interface Fields extends ReadonlyMap<string, () => Fields> {}

export const noFields: Fields = new Map();

export function fieldsOf(sets: readonly SelectionSetNode[]): Fields {
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
  return new Map([...byName].map(([name, inner]) => [name, () => fieldsOf(inner)]));
}

export function fieldsOfRequires(selections: readonly RequiresSelection[]): Fields {
  const byName = new Map<string, RequiresSelection[]>();
  const gather = (some: readonly RequiresSelection[]): void => {
    for (const selection of some) {
      if (selection.kind === 'InlineFragment') gather(selection.selections);
      else
        byName.set(selection.name, [...(byName.get(selection.name) ?? []), ...(selection.selections ?? [])]);
    }
  };
  gather(selections);
  return new Map([...byName].map(([name, inner]) => [name, () => fieldsOfRequires(inner)]));
}

export function isWithin(some: Fields, all: Fields): boolean {
  for (const [name, below] of some) {
    const same = all.get(name);
    if (same === undefined) {
      if (name !== '__typename') return false;
    } else if (!isWithin(below(), same())) return false;
  }
  return true;
}
