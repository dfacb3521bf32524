import { isRawNumber } from '../json/exactJson.ts';
import { generateFunction, isPlainName } from '../json/generateFunction.ts';
import { isObject } from '../json/isObject.ts';

/** An object of the response tree: a parsed object of a subgraph's response, into which later fetches are merged. Keys are
 *  internal names of the prepared operation, and fields that the plan added. */
export type ResponseObject = Record<string, unknown>;

/** Merges the result of a fetch into the object that it was fetched for, by reference. Present values other than null are
 *  never replaced: two subgraphs may resolve a shared field, one of them with an error. */
export type ObjectMerger = (
  target: ResponseObject,
  source: ResponseObject,
  isObjectType: IsObjectType,
) => void;

type IsObjectType = (typename: string) => boolean;

/** Creates a merger for these keys. */
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
    generateFunction<ObjectMerger>(
      'mergeObjects',
      ['t', 's', 'isObjectType'],
      `let v, p;\n${lines.join('\n')}`,
      {
        mergePresent,
      },
    ) ?? generic
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
    // A subgraph with an @interfaceObject returns the name of the interface, which is no runtime type.
    if (typeof value === 'string' && isObjectType(value)) target[key] = value;
  } else if (typeof value === 'object' && value !== null && value !== present) {
    mergeValues(present, value, isObjectType);
  }
}

/** Merges a value into a present one, in place. Keeps the present value where the two differ in kind or in the length of a
 *  list: it may have been sent, and elements of two lists must not be mixed. */
export function mergeValues(present: unknown, value: unknown, isObjectType: IsObjectType): void {
  // A raw number is a value of a custom scalar.
  if (present === value || isRawNumber(present) || isRawNumber(value)) return;
  if (isObject(present) && isObject(value)) {
    mergeKeys(present, value, Object.keys(value), isObjectType);
  } else if (Array.isArray(present) && Array.isArray(value) && present.length === value.length) {
    for (let i = 0; i < value.length; i++) {
      if (present[i] === null) present[i] = value[i];
      else mergeValues(present[i], value[i], isObjectType);
    }
  }
}

/** Sets a key. `__proto__` is an ordinary key in JSON, but an assignment to it would set the prototype. */
export function setKey(target: ResponseObject, key: string, value: unknown): void {
  if (key === '__proto__') {
    Object.defineProperty(target, key, { value, writable: true, enumerable: true, configurable: true });
  } else target[key] = value;
}
