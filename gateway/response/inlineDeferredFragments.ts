import { type Selection, SelectionSet } from '../operation/selection.ts';
import type { PendingField } from './shapeData.ts';

/** A pending field as an enrichment job delivers it: with the fragments that the client has deferred below it, because
 *  no payload of the response can add them to an object that the client does not have. */
export function inlineDeferredFragments(field: PendingField): PendingField {
  const deferred = deferredGroupsOf(field.selectionSet.selections);
  if (deferred.length === 0) return field;
  return {
    ...field,
    selectionSet: withoutDeferredFragments(field.selectionSet),
    groups: [...field.groups, ...deferred],
  };
}

function deferredGroupsOf(selections: readonly Selection[]): readonly number[] {
  return selections.flatMap((selection) => {
    if (selection.kind === 'Deferred')
      return [selection.group, ...deferredGroupsOf(selection.full.selections)];
    return deferredGroupsOf(selection.selectionSet?.selections ?? []);
  });
}

function withoutDeferredFragments(set: SelectionSet): SelectionSet {
  let inlined = inlinedSets.get(set);
  if (inlined === undefined) {
    inlined = new SelectionSet(set.selections.flatMap(inlineSelection));
    inlinedSets.set(set, inlined);
  }
  return inlined;
}

function inlineSelection(selection: Selection): readonly Selection[] {
  if (selection.kind === 'Deferred') {
    const set = withoutDeferredFragments(selection.full);
    const { typeCondition } = selection;
    return typeCondition === undefined
      ? set.selections
      : [{ kind: 'Fragment', typeCondition, selectionSet: set }];
  }
  return selection.selectionSet === undefined
    ? [selection]
    : [{ ...selection, selectionSet: withoutDeferredFragments(selection.selectionSet) } as Selection];
}

const inlinedSets = new WeakMap<SelectionSet, SelectionSet>();
