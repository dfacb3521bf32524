import { getOrInsertComputed } from '../sharing/getOrInsertComputed.ts';
import type { FieldSelection, Selection } from './selection.ts';

/** Delivery groups of the enrichments of a normalized operation that must be fetched with the primary data, because an
 *  enclosing `@defer` selects more fields of the same object. The payload of that `@defer` adds fields to an object that
 *  the client must already have, while a pending enrichment is null. */
export function findConflictingEnrichments(selections: readonly Selection[]): ReadonlySet<number> {
  const conflicting = new Set<number>();
  visit(selections);
  return conflicting;

  function visit(selectionsOfObject: readonly Selection[]): void {
    const deferred = new Set(fieldsOf(selectionsOfObject, true).map(({ responseName }) => responseName));
    const children = new Map<string, Selection[]>();
    for (const field of fieldsOf(selectionsOfObject, false)) {
      if (deferred.has(field.responseName)) add(field);
      else if (field.selectionSet !== undefined) {
        getOrInsertComputed(children, field.responseName, () => []).push(...field.selectionSet.selections);
      }
    }
    for (const inner of children.values()) visit(inner);
  }

  /** Adds the field and all fields below it. */
  function add({ enrichmentGroup, selectionSet }: FieldSelection): void {
    if (enrichmentGroup !== undefined) conflicting.add(enrichmentGroup);
    for (const field of fieldsOf(selectionSet?.selections ?? [], false)) add(field);
  }
}

/** The deferred fields of an object, or those that are not deferred. */
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
