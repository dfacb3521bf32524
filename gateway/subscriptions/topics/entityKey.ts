import { Kind, type SelectionSetNode } from 'graphql';
import { type ResponseObject, setKey } from '../../execution/responseTree.ts';
import { copyJson } from '../../json/copyJson.ts';
import { isObject } from '../../json/isObject.ts';
import type { RequiresSelection } from '../../planning/queryPlan.ts';

/** Whether an object has a value for every field of a key. */
export function hasKey(key: SelectionSetNode, value: Readonly<Record<string, unknown>>): boolean {
  return key.selections.every((selection) => {
    if (selection.kind === Kind.INLINE_FRAGMENT) return hasKey(selection.selectionSet, value);
    if (selection.kind !== Kind.FIELD || selection.name.value === '__typename') return true;
    const field = Object.hasOwn(value, selection.name.value) ? value[selection.name.value] : undefined;
    if (field === undefined || field === null) return false;
    const { selectionSet: inner } = selection;
    if (inner === undefined) return true;
    const objects = Array.isArray(field) ? field : [field];
    return objects.every((object) => isObject(object) && hasKey(inner, object));
  });
}

/** Copies the fields of a key into an object of the response tree, under their field names. The planner never uses a key
 *  field's name as an alias of another field. */
export function copyKey(
  key: SelectionSetNode,
  value: Readonly<Record<string, unknown>>,
  target: ResponseObject,
): void {
  for (const selection of key.selections) {
    if (selection.kind === Kind.INLINE_FRAGMENT) copyKey(selection.selectionSet, value, target);
    if (selection.kind !== Kind.FIELD || !Object.hasOwn(value, selection.name.value)) continue;
    const { name, selectionSet: inner } = selection;
    const existing = Object.hasOwn(target, name.value) ? target[name.value] : undefined;
    setKey(target, name.value, copyField(inner, value[name.value], existing));
  }
}

function copyField(set: SelectionSetNode | undefined, value: unknown, existing: unknown): unknown {
  if (set === undefined) return existing ?? copyJson(value);
  if (Array.isArray(value)) {
    return value.map((element, index) =>
      copyField(set, element, Array.isArray(existing) ? existing[index] : undefined),
    );
  }
  if (!isObject(value)) return value;
  const target: ResponseObject = isObject(existing) ? existing : {};
  copyKey(set, value, target);
  return target;
}

/** The `requires` selections of a representation with this key. */
export function requiresOf(key: SelectionSetNode): RequiresSelection[] {
  return key.selections.flatMap((selection): RequiresSelection[] => {
    if (selection.kind === Kind.INLINE_FRAGMENT) return requiresOf(selection.selectionSet);
    if (selection.kind !== Kind.FIELD) return [];
    const { name, selectionSet } = selection;
    return [
      {
        kind: 'Field',
        name: name.value,
        ...(selectionSet === undefined ? {} : { selections: requiresOf(selectionSet) }),
      },
    ];
  });
}
