import { generateFunction, isPlainName } from '../json/generateFunction.ts';

/** An object of the response tree: what JSON.parse made of a subgraph's answer, enriched by later fetches.
 *  Keys are internal names of the prepared operation and fields that the plan added. */
export type ResponseObject = Record<string, unknown>;

/** Merges what a fetch brought into the object it was fetched for. Values are taken over by reference.
 *  What is there already is never replaced, null excepted: two subgraphs may answer a shared field, one of them
 *  with an error. */
export type ObjectMerger = (
  target: ResponseObject,
  source: ResponseObject,
  isObjectType: IsObjectType,
) => void;

type IsObjectType = (typename: string) => boolean;

/** A merge of these keys. */
export function createObjectMerger(keys: readonly string[]): ObjectMerger {
  const generic: ObjectMerger = (target, source, isObjectType) =>
    mergeKeys(target, source, keys, isObjectType);
  if (!keys.every(isPlainName)) return generic;
  const lines = keys.map(
    (key) => `v = s.${key};
if (v !== undefined) {
p = t.${key};
if (p === undefined || p === null) t.${key} = v;
else mergePresent(t, '${key}', p, v, isObjectType);
}`,
  );
  return (
    generateFunction<ObjectMerger>(['t', 's', 'isObjectType'], `let v, p;\n${lines.join('\n')}`, {
      mergePresent,
    }) ?? generic
  );
}

function mergeKeys(
  target: ResponseObject,
  source: ResponseObject,
  keys: readonly string[],
  isObjectType: IsObjectType,
): void {
  for (const key of keys) {
    if (!Object.hasOwn(source, key)) continue;
    const value = source[key];
    const present = Object.hasOwn(target, key) ? target[key] : undefined;
    if (present === undefined || present === null) setKey(target, key, value);
    else mergePresent(target, key, present, value, isObjectType);
  }
}

function mergePresent(
  target: ResponseObject,
  key: string,
  present: unknown,
  value: unknown,
  isObjectType: IsObjectType,
): void {
  if (key === '__typename') {
    // A subgraph with an @interfaceObject answers with the interface's name: that is no runtime type.
    if (typeof value === 'string' && isObjectType(value)) target[key] = value;
  } else if (typeof value === 'object' && value !== null && value !== present) {
    mergeValues(present, value, isObjectType);
  }
}

/** Where the two do not agree (lists of different lengths, another kind of value), what was there first stays: it
 *  may have been sent, and elements of two lists must not be mixed. */
function mergeValues(present: unknown, value: unknown, isObjectType: IsObjectType): void {
  if (present === value) return;
  if (isPlainObject(present) && isPlainObject(value)) {
    mergeKeys(present, value, Object.keys(value), isObjectType);
  } else if (Array.isArray(present) && Array.isArray(value) && present.length === value.length) {
    for (let i = 0; i < value.length; i++) {
      if (present[i] === null) present[i] = value[i];
      else mergeValues(present[i], value[i], isObjectType);
    }
  }
}

export function isPlainObject(value: unknown): value is ResponseObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `__proto__` is an ordinary key in JSON, and anything but ordinary in an assignment. */
export function setKey(target: ResponseObject, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  } else target[key] = value;
}
