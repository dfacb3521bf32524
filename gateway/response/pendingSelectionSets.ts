import { type CollectedField, SelectionSet } from '../operation/selection.ts';

/** Returns a selection set with only this field. */
export function selectionSetOfField(field: CollectedField): SelectionSet {
  let set = selectionSets.get(field);
  if (set === undefined) {
    const { responseName, internalName, fieldName } = field;
    const [enrichmentGroup] = field.enrichmentGroups;
    set = new SelectionSet([
      {
        kind: 'Field',
        responseName,
        internalName,
        fieldName,
        arguments: [],
        directives: [],
        compositeType: undefined,
        selectionSet: field.selectionSet,
        ...(enrichmentGroup === undefined ? {} : { enrichmentGroup }),
      },
    ]);
    selectionSets.set(field, set);
    enrichmentsBySelectionSet.set(set, [
      ...new Set([...field.enrichmentGroups, ...enrichmentGroupsBelow(field.selectionSet)]),
    ]);
  }
  return set;
}

/** Returns the groups of the enrichments in a selection set, for objects of all types. */
export function enrichmentGroupsWithin(set: SelectionSet): readonly number[] {
  let found = enrichmentsBySelectionSet.get(set);
  if (found === undefined) {
    found = [...new Set(enrichmentGroupsBelow(set))];
    enrichmentsBySelectionSet.set(set, found);
  }
  return found;
}

function enrichmentGroupsBelow(set: SelectionSet | undefined): readonly number[] {
  if (set === undefined) return [];
  return set.selections.flatMap((selection) => {
    if (selection.kind === 'Deferred') return [];
    if (selection.kind === 'Fragment') return enrichmentGroupsBelow(selection.selectionSet);
    const own = selection.enrichmentGroup === undefined ? [] : [selection.enrichmentGroup];
    return [...own, ...enrichmentGroupsBelow(selection.selectionSet)];
  });
}

const selectionSets = new WeakMap<CollectedField, SelectionSet>();
const enrichmentsBySelectionSet = new WeakMap<SelectionSet, readonly number[]>();
