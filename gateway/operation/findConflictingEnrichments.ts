import type { FieldSelection, Selection } from './selection.ts';

/** Enrichments of a normalised operation that cannot come late, since a use of `@defer` further out selects more of
 *  what would be null for now: its payload adds to that object, which the client has to have by then. Returns their delivery groups. */
export function findConflictingEnrichments(selections: readonly Selection[]): ReadonlySet<number> {
  const contested = new Set<number>();
  visit(selections);
  return contested;

  function visit(onOneObject: readonly Selection[]): void {
    const deferred = new Set(fieldsOf(onOneObject, true).map(({ responseName }) => responseName));
    const below = new Map<string, Selection[]>();
    for (const field of fieldsOf(onOneObject, false)) {
      if (deferred.has(field.responseName)) add(field);
      else if (field.selectionSet !== undefined) {
        const same = below.get(field.responseName);
        if (same === undefined) below.set(field.responseName, [...field.selectionSet.selections]);
        else same.push(...field.selectionSet.selections);
      }
    }
    for (const inner of below.values()) visit(inner);
  }

  /** The field and all below it. */
  function add({ enrichmentGroup, selectionSet }: FieldSelection): void {
    if (enrichmentGroup !== undefined) contested.add(enrichmentGroup);
    for (const field of fieldsOf(selectionSet?.selections ?? [], false)) add(field);
  }
}

/** Fields of an object: those that are deferred, or those that are not. */
function fieldsOf(selections: readonly Selection[], areDeferred: boolean): readonly FieldSelection[] {
  return selections.flatMap((selection) => {
    if (selection.kind === 'Field') return areDeferred ? [] : [selection];
    if (selection.kind === 'Fragment') return fieldsOf(selection.selectionSet.selections, areDeferred);
    return areDeferred ? allFieldsOf(selection.full.selections) : [];
  });
}

function allFieldsOf(selections: readonly Selection[]): readonly FieldSelection[] {
  return [...fieldsOf(selections, false), ...fieldsOf(selections, true)];
}
