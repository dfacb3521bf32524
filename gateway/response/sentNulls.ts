import type { ResponsePath } from '../errors.ts';

/** Paths of a response that were null in a payload. They stay null in later payloads, even if another fetch returns an
 *  object for them: clients reject data below a null, and fragments that share a field must not contradict each other.
 *  An object of the response tree may stand at several paths, of which only some were null. */
export class SentNulls {
  /** No path was null so far. */
  isEmpty = true;
  readonly #keys = new WeakMap<object, Map<string | number, Set<string>>>();

  /** `path` leads to `key` of `parent`. */
  add(parent: object, key: string | number, path: ResponsePath): void {
    this.isEmpty = false;
    let keys = this.#keys.get(parent);
    if (keys === undefined) {
      keys = new Map();
      this.#keys.set(parent, keys);
    }
    const paths = keys.get(key);
    if (paths === undefined) keys.set(key, new Set([path.join('.')]));
    else paths.add(path.join('.'));
  }

  has(parent: object, key: string | number, path: ResponsePath): boolean {
    return !this.isEmpty && (this.#keys.get(parent)?.get(key)?.has(path.join('.')) ?? false);
  }
}
