import { Kind, type OperationTypeNode, type SelectionSetNode } from 'graphql';
import { namedTypeOf } from '../../planning/supergraphDocument.ts';
import {
  type CacheGraph,
  fieldTypeIn,
  type GraphField,
  type GraphType,
  type KeyFields,
} from './cacheGraph.ts';
import type { OperationShape } from './operationShape.ts';

/** One field of a fetch's operation, for all object types that it may be read from. */
export interface SelectedField {
  readonly name: string;
  readonly owners: readonly FieldOwner[];
  /** In an object that the fetch was asked for by a representation, not in one below it. */
  readonly isEntityField: boolean;
}

export interface FieldOwner {
  readonly type: GraphType;
  /** `undefined` for `__typename`. */
  readonly field: GraphField | undefined;
  /** It tells which object it is, and nothing about it: `__typename`, a field of a key. */
  readonly isIdentityField: boolean;
}

/** Visits the fields that a fetch selects, outer ones first. What a visit returns is handed to the visits of the
 *  fields within. A field that the supergraph does not have is visited without owners. */
export function visitSelections<Above>(
  shape: OperationShape,
  graph: CacheGraph,
  visit: (field: SelectedField, above: Above) => Above,
  start: Above,
): void {
  const { document, isEntityFetch, kind, subgraph } = shape;
  if (!isEntityFetch) {
    const root = graph.types.get(graph.roots.get(kind as OperationTypeNode) ?? '');
    walk(document.selectionSet, root === undefined ? [] : [root], [], start, false);
    return;
  }
  for (const selection of document.selectionSet.selections) {
    if (selection.kind !== Kind.FIELD || selection.selectionSet === undefined) continue;
    walk(selection.selectionSet, undefined, [], start, true);
  }

  /** `types`: object types that are possible; `undefined` for any. `keys`: what of a key, for each object above. */
  function walk(
    { selections }: SelectionSetNode,
    types: readonly GraphType[] | undefined,
    keys: readonly KeyFields[],
    above: Above,
    isOfEntity: boolean,
  ): void {
    for (const selection of selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        const condition = selection.typeCondition?.name.value;
        const narrowed = condition === undefined ? types : narrow(types, condition);
        walk(selection.selectionSet, narrowed, keys, above, isOfEntity);
      } else if (selection.kind === Kind.FIELD) {
        const name = selection.name.value;
        const owners = ownersOf(name, types ?? [], keys);
        const below = visit({ name, owners, isEntityField: isOfEntity }, above);
        if (selection.selectionSet === undefined) continue;
        const inner = new Set<GraphType>();
        for (const { field } of owners) {
          if (field === undefined) continue;
          for (const type of objectTypesOf(namedTypeOf({ type: fieldTypeIn(field, subgraph) })))
            inner.add(type);
        }
        walk(selection.selectionSet, [...inner], keysBelow(name, owners, keys), below, false);
      }
    }
  }

  function objectTypesOf(name: string): readonly GraphType[] {
    const type = graph.types.get(name);
    if (type === undefined) return [];
    const objects = type.possibleTypes.flatMap((one) => graph.types.get(one) ?? []);
    // An interface that nothing implements has no objects, but its fields may be selected.
    return objects.length === 0 ? [type] : objects;
  }

  function narrow(types: readonly GraphType[] | undefined, condition: string): readonly GraphType[] {
    const all = objectTypesOf(condition);
    return types === undefined ? all : all.filter((type) => types.includes(type));
  }
}

function ownersOf(name: string, types: readonly GraphType[], keys: readonly KeyFields[]): FieldOwner[] {
  if (name === '__typename') return types.map((type) => ({ type, field: undefined, isIdentityField: true }));
  const isInKey = keys.length > 0 && keys.every((fields) => fields.has(name));
  return types.flatMap((type) => {
    const field = type.fields.get(name);
    return field === undefined ? [] : [{ type, field, isIdentityField: isInKey || type.keyFields.has(name) }];
  });
}

/** What the keys have below a field: of the keys that the field's objects have themselves, or of one around them. */
function keysBelow(
  name: string,
  owners: readonly FieldOwner[],
  keys: readonly KeyFields[],
): readonly KeyFields[] {
  const around = keys.flatMap((fields) => fields.get(name) ?? []);
  if (keys.length > 0 && around.length === keys.length) return around;
  const own = owners.flatMap(({ type }) => type.keyFields.get(name) ?? []);
  return own.length === owners.length ? own : [];
}
