import { Kind, type SelectionSetNode } from 'graphql';
import { isPlainObject, type ResponseObject, setKey } from '../../execution/responseTree.ts';
import type { RequiresSelection } from '../../planning/queryPlan.ts';

/** Whether an object has all fields of a key. */
export function hasKey(key: SelectionSetNode, value: Readonly<Record<string, unknown>>): boolean {
  return key.selections.every((selection) => {
    if (selection.kind === Kind.INLINE_FRAGMENT) return hasKey(selection.selectionSet, value);
    if (selection.kind !== Kind.FIELD || selection.name.value === '__typename') return true;
    const own = Object.hasOwn(value, selection.name.value) ? value[selection.name.value] : undefined;
    if (own === undefined || own === null) return false;
    const { selectionSet: inner } = selection;
    if (inner === undefined) return true;
    const objects = Array.isArray(own) ? own : [own];
    return objects.every((object) => isPlainObject(object) && hasKey(inner, object));
  });
}

/** Copies the fields of a key into an object of the response tree, under their own names: none is ever an alias of
 *  something else there. */
export function copyKey(
  key: SelectionSetNode,
  value: Readonly<Record<string, unknown>>,
  into: ResponseObject,
): void {
  for (const selection of key.selections) {
    if (selection.kind === Kind.INLINE_FRAGMENT) copyKey(selection.selectionSet, value, into);
    if (selection.kind !== Kind.FIELD || !Object.hasOwn(value, selection.name.value)) continue;
    const { name, selectionSet: inner } = selection;
    const known = Object.hasOwn(into, name.value) ? into[name.value] : undefined;
    setKey(into, name.value, copyField(inner, value[name.value], known));
  }
}

function copyField(set: SelectionSetNode | undefined, value: unknown, known: unknown): unknown {
  if (set === undefined) return known ?? structuredClone(value);
  if (Array.isArray(value)) {
    return value.map((element, index) =>
      copyField(set, element, Array.isArray(known) ? known[index] : undefined),
    );
  }
  if (!isPlainObject(value)) return value;
  const into: ResponseObject = isPlainObject(known) ? known : {};
  copyKey(set, value, into);
  return into;
}

/** What a representation by this key consists of. */
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
