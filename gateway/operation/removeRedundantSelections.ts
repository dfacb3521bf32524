import { type GraphQLCompositeType, print } from 'graphql';
import { type FieldSelection, type Selection, SelectionSet } from './selection.ts';

/** Fields selected unconditionally on one object, by response name. */
type VisibleFields = ReadonlyMap<string, FieldSelection>;

const noFields: VisibleFields = new Map();

/** Other fields that are selected on the same object. */
interface SurroundingFields {
  readonly all: VisibleFields;
  /** The preceding ones. A later field does not replace an earlier one, because response keys are in document order. */
  readonly preceding: VisibleFields;
}

/** Removes from each fragment of a selection set the fields that the set itself selects on the same object. */
export function removeRedundantSelections(selections: readonly Selection[]): readonly Selection[] {
  if (selections.every((selection) => selection.kind === 'Field')) return selections;
  return subtractSurroundings(selections, { all: noFields, preceding: noFields }, false);
}

/** The selections without those that the surrounding fields contain. `isOwn`: the selections belong to `own` of a
 *  deferred fragment, in which a nested deferred fragment without own selections is redundant. */
function subtractSurroundings(
  selections: readonly Selection[],
  around: SurroundingFields,
  isOwn: boolean,
): readonly Selection[] {
  const all = visibleFields(selections, around.all);
  const before = new Map(around.preceding);
  const inFragments = new Map<GraphQLCompositeType, VisibleFields>();
  return selections.flatMap((selection): Selection[] => {
    if (selection.kind === 'Field') {
      const left = subtractField(selection, around.preceding, isOwn);
      if (!before.has(selection.responseName)) before.set(selection.responseName, selection);
      return left === undefined ? [] : [left];
    }
    if (selection.kind === 'Deferred') {
      const left = subtractSurroundings(selection.own.selections, { all, preceding: all }, true);
      return isOwn && left.length === 0 ? [] : [{ ...selection, own: new SelectionSet(left) }];
    }
    const inner = selection.selectionSet.selections;
    const same = inFragments.get(selection.typeCondition) ?? noFields;
    const left = subtractSurroundings(inner, { all, preceding: new Map([...same, ...before]) }, isOwn);
    inFragments.set(selection.typeCondition, visibleFields(inner, same));
    return left.length === 0 ? [] : [{ ...selection, selectionSet: new SelectionSet(left) }];
  });
}

function visibleFields(selections: readonly Selection[], outer: VisibleFields): VisibleFields {
  const visible = new Map(outer);
  for (const selection of selections) {
    if (selection.kind === 'Field' && !visible.has(selection.responseName)) {
      visible.set(selection.responseName, selection);
    }
  }
  return visible;
}

function subtractField(
  field: FieldSelection,
  visible: VisibleFields,
  isOwn: boolean,
): FieldSelection | undefined {
  const same = visible.get(field.responseName);
  if (same === undefined) return field;
  // What is denied on an interface may be allowed on a type of its objects, but not the other way round.
  if (same.isDenied === true && field.isDenied !== true) return field;
  if (field.isDenied === true) return undefined;
  if (!isSameField(same, field)) return field;
  if (field.selectionSet === undefined || same.selectionSet === undefined) return undefined;
  const around = visibleFields(same.selectionSet.selections, noFields);
  const left = subtractSurroundings(field.selectionSet.selections, { all: around, preceding: around }, isOwn);
  return left.length === 0
    ? undefined
    : { ...field, selectionSet: new SelectionSet(left), isAlreadySent: isOwn };
}

function isSameField(left: FieldSelection, right: FieldSelection): boolean {
  return (
    left.fieldName === right.fieldName &&
    left.arguments.length === right.arguments.length &&
    left.arguments.every((argument) => {
      const match = right.arguments.find((candidate) => candidate.name.value === argument.name.value);
      return match !== undefined && print(match.value) === print(argument.value);
    })
  );
}
