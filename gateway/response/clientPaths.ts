import { type GraphQLSchema, getNamedType, isAbstractType, isNonNullType, isObjectType } from 'graphql';
import type { ResponsePath } from '../errors.ts';
import type { ResponseObject } from '../execution/responseTree.ts';
import { isObject } from '../json/isObject.ts';
import type { CollectedField, FieldSelection, RuntimeType, SelectionSet } from '../operation/selection.ts';
import { runtimeTypeOf } from './runtimeType.ts';

/** A path in the client's names. */
export interface ClientPath {
  readonly path: ResponsePath;
  /** Delivery groups of the deferred fragments whose payloads have the field, or the null above it. 0 is the selection
   *  set around all deferred fragments. */
  readonly groups: readonly number[];
  /** The path leads through an object whose type is unknown so far. */
  readonly hasUnknownType: boolean;
  /** For each part of the path: whether it is a field that may be null by the API schema. */
  readonly isNullable: readonly boolean[];
}

/** Turns a path of internal names into the client's. A path to a field that the client did not select, such as a key,
 *  ends at the last field that the client did select.
 *
 *  Returns `undefined` if the client selected the field on objects of other types only: plans merge the selections of
 *  all types below one field, so that a fetch may return, or fail to return, a field that this object does not need. */
export function toClientPath(
  schema: GraphQLSchema,
  root: SelectionSet,
  rootType: RuntimeType,
  tree: ResponseObject,
  path: ResponsePath,
): ClientPath | undefined {
  const client: (string | number)[] = [];
  const isNullable: boolean[] = [];
  let sets: readonly DeliveredSet[] = [{ set: root, group: 0 }];
  let setsOfAnyType: readonly SelectionSet[] = [root];
  let type: RuntimeType | undefined = rootType;
  let value: unknown = tree;
  let declared: CollectedField | undefined;
  let groups: readonly number[] = [0];
  for (const part of path) {
    const isMissing = value == null;
    if (typeof part === 'number') {
      client.push(part);
      isNullable.push(false);
      value = Array.isArray(value) ? value[part] : undefined;
      continue;
    }
    if (declared !== undefined) type = objectTypeOf(schema, declared, value);
    const found = type === undefined ? [] : fieldsNamed(schema, sets, type, part);
    declared = found[0]?.field;
    const ofAnyType = fieldsOfAnyType(setsOfAnyType, ({ internalName }) => internalName === part);
    // Where the type of the object is unknown, the path may mean the field of any type.
    const named = declared ?? ofAnyType[0];
    if (named === undefined) break;
    if (declared === undefined && type !== undefined) return undefined;
    setsOfAnyType = ofAnyType.flatMap((field) => field.selectionSet ?? []);
    client.push(named.responseName);
    isNullable.push(declared !== undefined && !isNonNullType(declared.type));
    sets = found.flatMap(({ field, group }) =>
      field.selectionSet === undefined ? [] : { set: field.selectionSet, group },
    );
    if (!isMissing && declared !== undefined) groups = found.map(({ group }) => group);
    value = isObject(value) ? value[part] : undefined;
  }
  return { path: client, groups, hasUnknownType: type === undefined, isNullable };
}

/** A selection set, and the delivery group of the deferred fragment that it belongs to. */
interface DeliveredSet {
  readonly set: SelectionSet;
  readonly group: number;
}

/** Turns a path of the client into the internal names of its fields, without list indexes. */
export function toInternalPath(
  root: SelectionSet,
  tree: ResponseObject,
  path: ResponsePath,
): readonly string[] {
  const internal: string[] = [];
  let sets: readonly SelectionSet[] = [root];
  let value: unknown = tree;
  for (const part of path) {
    if (typeof part === 'number') {
      value = Array.isArray(value) ? value[part] : undefined;
      continue;
    }
    const object: ResponseObject = isObject(value) ? value : {};
    const fields = fieldsOfAnyType(sets, ({ responseName }) => responseName === part);
    // Fields of different types may have one response name and different internal ones.
    const name = (fields.find((field) => Object.hasOwn(object, field.internalName)) ?? fields[0])
      ?.internalName;
    if (name === undefined) return internal;
    internal.push(name);
    sets = fields.flatMap((field) => (field.internalName === name ? (field.selectionSet ?? []) : []));
    value = object[name];
  }
  return internal;
}

function objectTypeOf(schema: GraphQLSchema, field: CollectedField, value: unknown): RuntimeType | undefined {
  const declared = getNamedType(field.type);
  if (isObjectType(declared)) return declared;
  if (!isAbstractType(declared) || !isObject(value)) return undefined;
  return runtimeTypeOf(schema, declared, field.selectionSet, value.__typename);
}

/** Returns the fields with this internal name, those in deferred fragments included. */
function fieldsNamed(
  schema: GraphQLSchema,
  sets: readonly DeliveredSet[],
  type: RuntimeType,
  internalName: string,
): readonly { readonly field: CollectedField; readonly group: number }[] {
  return sets.flatMap(({ set, group }) => {
    const { fields, deferred } = set.collect(schema, type);
    return [
      ...fields.flatMap((field) => (field.internalName === internalName ? { field, group } : [])),
      ...fieldsNamed(
        schema,
        deferred.map((fragment) => ({ set: fragment.full, group: fragment.group })),
        type,
        internalName,
      ),
    ];
  });
}

function fieldsOfAnyType(
  sets: readonly SelectionSet[],
  isWanted: (field: FieldSelection) => boolean,
): readonly FieldSelection[] {
  return sets.flatMap(({ selections }) =>
    selections.flatMap((selection) => {
      if (selection.kind === 'Fragment') return fieldsOfAnyType([selection.selectionSet], isWanted);
      if (selection.kind === 'Deferred') return fieldsOfAnyType([selection.full], isWanted);
      return isWanted(selection) ? [selection] : [];
    }),
  );
}
