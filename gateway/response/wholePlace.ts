import { type Selection, SelectionSet } from '../operation/selection.ts';
import type { LatePlace } from './shape.ts';

/** A late place with all that belongs there, as it comes outside of the answer: what the client has deferred below it
 *  comes along, since no payload of the answer can bring it to an object that the client does not have. */
export function wholePlace(place: LatePlace): LatePlace {
  const deferred = deferredIn(place.set.selections);
  if (deferred.length === 0) return place;
  return { ...place, set: undeferred(place.set), enrichments: [...place.enrichments, ...deferred] };
}

function deferredIn(selections: readonly Selection[]): readonly number[] {
  return selections.flatMap((selection) => {
    if (selection.kind === 'Deferred') return [selection.id, ...deferredIn(selection.full.selections)];
    return deferredIn(selection.set?.selections ?? []);
  });
}

function undeferred(set: SelectionSet): SelectionSet {
  let whole = wholes.get(set);
  if (whole === undefined) {
    whole = new SelectionSet(set.selections.flatMap(undeferredSelection));
    wholes.set(set, whole);
  }
  return whole;
}

function undeferredSelection(selection: Selection): readonly Selection[] {
  if (selection.kind === 'Deferred') {
    const set = undeferred(selection.full);
    const { typeCondition } = selection;
    return typeCondition === undefined ? set.selections : [{ kind: 'Fragment', typeCondition, set }];
  }
  return selection.set === undefined
    ? [selection]
    : [{ ...selection, set: undeferred(selection.set) } as Selection];
}

const wholes = new WeakMap<SelectionSet, SelectionSet>();
