/** An object of the response tree: what JSON.parse made of a subgraph's answer, enriched by later fetches.
 *  Keys are internal names of the prepared operation and fields that the plan added. */
export type ResponseObject = Record<string, unknown>;

/** Merges what a fetch brought into the object it was fetched for. Values are taken over by reference.
 *  What is there already is never replaced by null: two subgraphs may answer a shared field, one of them
 *  with an error. */
export function mergeInto(
  target: ResponseObject,
  source: ResponseObject,
  keys: readonly string[],
  isObjectType: (typename: string) => boolean,
): void {
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    const value = source[key];
    if (value === undefined) continue;
    const present = target[key];
    if (present === undefined || present === null) {
      setKey(target, key, value);
    } else if (key === '__typename') {
      // A subgraph with an @interfaceObject answers with the interface's name: that is no runtime type.
      if (typeof value === 'string' && isObjectType(value)) target[key] = value;
    } else if (typeof value === 'object' && value !== null && value !== present) {
      mergeValues(target, key, present, value, isObjectType);
    } else if (value !== null) {
      setKey(target, key, value);
    }
  }
}

function mergeValues(
  target: ResponseObject,
  key: string,
  present: unknown,
  value: object,
  isObjectType: (typename: string) => boolean,
): void {
  if (Array.isArray(present) && Array.isArray(value) && present.length === value.length) {
    for (let i = 0; i < value.length; i++) {
      const element = value[i];
      const old = present[i];
      if (isPlainObject(old) && isPlainObject(element)) {
        if (old !== element) mergeInto(old, element, Object.keys(element), isObjectType);
      } else if (Array.isArray(old) && Array.isArray(element)) {
        mergeValues(present as unknown as ResponseObject, String(i), old, element, isObjectType);
      } else if (element !== null && element !== undefined) present[i] = element;
    }
  } else if (isPlainObject(present) && isPlainObject(value)) {
    mergeInto(present, value, Object.keys(value), isObjectType);
  } else setKey(target, key, value);
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
