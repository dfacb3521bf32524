import { type CollectedField, SelectionSet } from '../operation/selection.ts';

/** A selection set of nothing but this field. */
export function selectionOf(field: CollectedField): SelectionSet {
  let set = sets.get(field);
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
        set: field.set,
        ...(enrichment === undefined ? {} : { enrichment }),
      },
    ]);
    sets.set(field, set);
    enrichments.set(set, [...new Set([...field.enrichments, ...below(field.set)])]);
  }
  return set;
}

/** The enrichments at and below a selection set, whatever types its objects have. */
export function enrichmentsIn(set: SelectionSet): readonly number[] {
  let found = enrichments.get(set);
  if (found === undefined) {
    found = [...new Set(below(set))];
    enrichments.set(set, found);
  }
  return found;
}

function below(set: SelectionSet | undefined): readonly number[] {
  if (set === undefined) return [];
  return set.selections.flatMap((selection) => {
    if (selection.kind === 'Deferred') return [];
    if (selection.kind === 'Fragment') return below(selection.set);
    const own = selection.enrichment === undefined ? [] : [selection.enrichment];
    return [...own, ...below(selection.set)];
  });
}

const sets = new WeakMap<CollectedField, SelectionSet>();
const enrichments = new WeakMap<SelectionSet, readonly number[]>();
