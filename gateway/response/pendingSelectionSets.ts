import { type CollectedField, SelectionSet } from '../operation/selection.ts';

/** A selection set of nothing but this field. */
export function selectionSetOfField(field: CollectedField): SelectionSet {
  let set = selectionSets.get(field);
  if (set === undefined) {
    const { responseName, internalName, fieldName } = field;
    const [enrichment] = field.enrichments;
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
        ...(enrichment === undefined ? {} : { enrichment }),
      },
    ]);
    selectionSets.set(field, set);
    enrichmentsBySelectionSet.set(set, [
      ...new Set([...field.enrichments, ...enrichmentsBelow(field.selectionSet)]),
    ]);
  }
  return set;
}

/** The enrichments at and below a selection set, whatever types its objects have. */
export function enrichmentsWithin(set: SelectionSet): readonly number[] {
  let found = enrichmentsBySelectionSet.get(set);
  if (found === undefined) {
    found = [...new Set(enrichmentsBelow(set))];
    enrichmentsBySelectionSet.set(set, found);
  }
  return found;
}

function enrichmentsBelow(set: SelectionSet | undefined): readonly number[] {
  if (set === undefined) return [];
  return set.selections.flatMap((selection) => {
    if (selection.kind === 'Deferred') return [];
    if (selection.kind === 'Fragment') return enrichmentsBelow(selection.selectionSet);
    const own = selection.enrichment === undefined ? [] : [selection.enrichment];
    return [...own, ...enrichmentsBelow(selection.selectionSet)];
  });
}

const selectionSets = new WeakMap<CollectedField, SelectionSet>();
const enrichmentsBySelectionSet = new WeakMap<SelectionSet, readonly number[]>();
