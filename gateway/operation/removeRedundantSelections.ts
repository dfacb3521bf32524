import { type GraphQLCompositeType, isInterfaceType, isObjectType, isUnionType, print } from 'graphql';
import { type FieldSelection, type FragmentSelection, type Selection, SelectionSet } from './selection.ts';

/** Fields selected unconditionally on one object, by response name. */
type VisibleFields = ReadonlyMap<string, FieldSelection>;

const noFields: VisibleFields = new Map();

/** Other selections on the same object. */
interface Selected {
  readonly fields: VisibleFields;
  /** The fragments on one type of the object. */
  readonly fragments: readonly FragmentSelection[];
}

const nothing: Selected = { fields: noFields, fragments: [] };

interface Surroundings {
  readonly all: Selected;
  /** The preceding ones. A later field does not replace an earlier one, because response keys are in document order. */
  readonly preceding: Selected;
}

/** Removes from each fragment of a selection set the fields that the set itself selects on the same object. */
export function removeRedundantSelections(selections: readonly Selection[]): readonly Selection[] {
  if (selections.every((selection) => selection.kind === 'Field')) return selections;
  return subtractSurroundings(selections, { all: nothing, preceding: nothing }, undefined, false);
}

/** The selections without those that the surrounding ones contain. `type`: the type condition of the selections.
 *  `isOwn`: the selections belong to `own` of a deferred fragment, in which a nested deferred fragment without own
 *  selections is redundant. */
function subtractSurroundings(
  selections: readonly Selection[],
  around: Surroundings,
  type: GraphQLCompositeType | undefined,
  isOwn: boolean,
): readonly Selection[] {
  const all: Selected = {
    fields: visibleFields(selections, around.all.fields),
    fragments: [...around.all.fragments, ...fragmentsOf(selections)],
  };
  const { fragments } = around.preceding;
  const before = new Map(around.preceding.fields);
  const inFragments = new Map<GraphQLCompositeType, VisibleFields>();
  return selections.flatMap((selection): Selection[] => {
    if (selection.kind === 'Field') {
      const left = subtractField(selection, around.preceding.fields, isOwn);
      if (!before.has(selection.responseName)) before.set(selection.responseName, selection);
      return left === undefined ? [] : [left];
    }
    const condition = selection.typeCondition ?? type;
    if (selection.kind === 'Deferred') {
      const sent = { fields: fieldsOn(condition, all), fragments: all.fragments };
      const left = subtractSurroundings(
        selection.own.selections,
        { all: sent, preceding: sent },
        condition,
        true,
      );
      return isOwn && left.length === 0 ? [] : [{ ...selection, own: new SelectionSet(left) }];
    }
    const inner = selection.selectionSet.selections;
    const same = inFragments.get(selection.typeCondition) ?? noFields;
    const preceding = new Map([...fieldsOn(condition, { fields: same, fragments }), ...before]);
    const left = subtractSurroundings(
      inner,
      { all, preceding: { fields: preceding, fragments } },
      condition,
      isOwn,
    );
    inFragments.set(selection.typeCondition, visibleFields(inner, same));
    return left.length === 0 ? [] : [{ ...selection, selectionSet: new SelectionSet(left) }];
  });
}

/** The fields that are selected on every object of this type. */
function fieldsOn(type: GraphQLCompositeType | undefined, { fields, fragments }: Selected): VisibleFields {
  if (type === undefined) return fields;
  return fragments
    .filter(({ typeCondition }) => isSubType(type, typeCondition))
    .reduce((visible, { selectionSet }) => visibleFields(selectionSet.selections, visible), fields);
}

function isSubType(type: GraphQLCompositeType, other: GraphQLCompositeType): boolean {
  if (type === other) return true;
  if (isUnionType(other)) return isObjectType(type) && other.getTypes().includes(type);
  return isInterfaceType(other) && !isUnionType(type) && type.getInterfaces().includes(other);
}

function fragmentsOf(selections: readonly Selection[]): readonly FragmentSelection[] {
  return selections.filter((selection) => selection.kind === 'Fragment');
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
  // A field that is denied on an interface may be allowed on a type of its objects, but not the other way round.
  if (same.isDenied === true && field.isDenied !== true) return field;
  if (field.isDenied === true) return undefined;
  if (!isSameField(same, field)) return field;
  if (field.selectionSet === undefined || same.selectionSet === undefined) return undefined;
  const { selections } = same.selectionSet;
  const around = {
    fields: visibleFields(selections, noFields),
    fragments: isOwn ? fragmentsOf(selections) : [],
  };
  const left = subtractSurroundings(
    field.selectionSet.selections,
    { all: around, preceding: around },
    undefined,
    isOwn,
  );
  return left.length === 0 ? undefined : { ...field, selectionSet: new SelectionSet(left) };
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
