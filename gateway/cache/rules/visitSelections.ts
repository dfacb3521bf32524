import { Kind, type OperationDefinitionNode, type OperationTypeNode, type SelectionSetNode } from 'graphql';
import { namedTypeOf } from '../../planning/supergraphDocument.ts';
import {
  type CacheGraph,
  fieldTypeIn,
  type GraphField,
  type GraphType,
  type KeyFields,
} from './cacheGraph.ts';

/** The part of a fetch shape that rules and tags are computed from. */
export interface OperationShape {
  readonly subgraph: string;
  readonly kind: 'query' | 'mutation' | 'subscription';
  readonly isEntityFetch: boolean;
  /** With inlined fragments. */
  readonly document: OperationDefinitionNode;
}

/** One field of a fetch's operation, with all object types that it may be read from. */
export interface SelectedField {
  readonly name: string;
  readonly owners: readonly FieldOwner[];
  /** Whether the field is selected on a fetched entity itself, not on an object below it. */
  readonly isEntityField: boolean;
}

export interface FieldOwner {
  readonly type: GraphType;
  /** `undefined` for `__typename`. */
  readonly field: GraphField | undefined;
  /** Whether the field only identifies the object: `__typename` or a key field. */
  readonly isIdentityField: boolean;
}

/** Visits the fields that a fetch selects, parents first. The result of a visit is passed to the visits of the child
 *  fields. A field that the supergraph lacks is visited without owners. */
export function visitSelections<Parent>(
  shape: OperationShape,
  graph: CacheGraph,
  visit: (field: SelectedField, parent: Parent) => Parent,
  start: Parent,
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

  /** `types`: the possible object types; `undefined` for any. `keys`: the remaining part of a key of each parent object. */
  function walk(
    { selections }: SelectionSetNode,
    types: readonly GraphType[] | undefined,
    keys: readonly KeyFields[],
    parent: Parent,
    isOfEntity: boolean,
  ): void {
    for (const selection of selections) {
      if (selection.kind === Kind.INLINE_FRAGMENT) {
        const condition = selection.typeCondition?.name.value;
        const narrowed = condition === undefined ? types : narrow(types, condition);
        walk(selection.selectionSet, narrowed, keys, parent, isOfEntity);
      } else if (selection.kind === Kind.FIELD) {
        const name = selection.name.value;
        const owners = ownersOf(name, types ?? [], keys);
        const below = visit({ name, owners, isEntityField: isOfEntity }, parent);
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
    const objects = type.possibleTypes.flatMap((possible) => graph.types.get(possible) ?? []);
    // An interface without implementations has no objects, but its fields can be selected.
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

/** The parts of keys below a field: of a key of the parent objects if the field belongs to one, else of the keys of the
 *  field's owners. */
function keysBelow(
  name: string,
  owners: readonly FieldOwner[],
  keys: readonly KeyFields[],
): readonly KeyFields[] {
  const parentKeys = keys.flatMap((fields) => fields.get(name) ?? []);
  if (keys.length > 0 && parentKeys.length === keys.length) return parentKeys;
  const ownerKeys = owners.flatMap(({ type }) => type.keyFields.get(name) ?? []);
  return ownerKeys.length === owners.length ? ownerKeys : [];
}
