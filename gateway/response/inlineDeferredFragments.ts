import { type Selection, SelectionSet } from '../operation/selection.ts';
import type { PendingField } from './shapeData.ts';

/** A late place with all that belongs there, as it comes outside of the answer: what the client has deferred below it
 *  comes along, since no payload of the answer can bring it to an object that the client does not have. */
export function inlineDeferredFragments(place: PendingField): PendingField {
  const deferred = deferredGroupsOf(place.selectionSet.selections);
  if (deferred.length === 0) return place;
  return {
    ...place,
    selectionSet: withoutDeferredFragments(place.selectionSet),
    groups: [...place.groups, ...deferred],
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
  let whole = inlinedSets.get(set);
  if (whole === undefined) {
    whole = new SelectionSet(set.selections.flatMap(inlineSelection));
    inlinedSets.set(set, whole);
  }
  return whole;
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
