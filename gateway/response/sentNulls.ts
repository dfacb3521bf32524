import type { ResponsePath } from '../errors.ts';

/** Places of an answer that were null in a payload. They stay null in the later ones, even if another fetch brings
 *  an object for them: clients refuse data below a null, and fragments that share a field must not contradict each
 *  other. An object of the response tree may stand at several places, each with its own fate. */
export class SentNulls {
  readonly #keys = new WeakMap<object, Map<string | number, Set<string>>>();

  /** `path` leads to `key` of `parent`. */
  add(parent: object, key: string | number, path: ResponsePath): void {
    let keys = this.#keys.get(parent);
    if (keys === undefined) {
      keys = new Map();
      this.#keys.set(parent, keys);
    }
    const places = keys.get(key);
    if (places === undefined) keys.set(key, new Set([path.join('.')]));
    else places.add(path.join('.'));
  }

  has(parent: object, key: string | number, path: ResponsePath): boolean {
    return this.#keys.get(parent)?.get(key)?.has(path.join('.')) ?? false;
  }
}
