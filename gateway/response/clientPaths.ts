import { type GraphQLSchema, getNamedType, isAbstractType, isObjectType } from 'graphql';
import type { ResponsePath } from '../errors.ts';
import type { ResponseObject } from '../execution/responseTree.ts';
import { isObject } from '../json/isObject.ts';
import type { CollectedField, FieldSelection, RuntimeType, SelectionSet } from '../operation/selection.ts';
import { runtimeTypeOf } from './runtimeType.ts';

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
): ResponsePath | undefined {
  const client: (string | number)[] = [];
  let sets: readonly SelectionSet[] = [root];
  let setsOfAnyType = sets;
  let type: RuntimeType | undefined = rootType;
  let value: unknown = tree;
  let declared: CollectedField | undefined;
  for (const part of path) {
    if (typeof part === 'number') {
      client.push(part);
      value = Array.isArray(value) ? value[part] : undefined;
      continue;
    }
    if (declared !== undefined) type = objectTypeOf(schema, declared, value);
    const found: readonly CollectedField[] = type === undefined ? [] : fieldsNamed(schema, sets, type, part);
    declared = found[0];
    const ofAnyType = fieldsOfAnyType(setsOfAnyType, ({ internalName }) => internalName === part);
    // The type of the object is unknown: the path may mean the field of any type.
    if (declared === undefined) return type !== undefined && ofAnyType.length > 0 ? undefined : client;
    setsOfAnyType = ofAnyType.flatMap((field) => field.selectionSet ?? []);
    client.push(declared.responseName);
    sets = found.flatMap((field) => field.selectionSet ?? []);
    value = isObject(value) ? value[part] : undefined;
  }
  return client;
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
  sets: readonly SelectionSet[],
  type: RuntimeType,
  internalName: string,
): readonly CollectedField[] {
  return sets.flatMap((set) => {
    const { fields, deferred } = set.collect(schema, type);
    return [
      ...fields.filter((field) => field.internalName === internalName),
      ...fieldsNamed(
        schema,
        deferred.map((fragment) => fragment.full),
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
