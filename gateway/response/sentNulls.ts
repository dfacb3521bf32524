/** Places of the response tree that were null in a payload. They stay null in the later ones, even if another
 *  fetch brings an object for them: clients refuse data below a null, and fragments that share a field must not
 *  contradict each other. */
export class SentNulls {
  readonly #keys = new WeakMap<object, Set<string | number>>();

  add(parent: object, key: string | number): void {
    const keys = this.#keys.get(parent);
    if (keys === undefined) this.#keys.set(parent, new Set([key]));
    else keys.add(key);
  }

  has(parent: object, key: string | number): boolean {
    return this.#keys.get(parent)?.has(key) ?? false;
  }
}
