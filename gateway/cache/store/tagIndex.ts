/** Which keys have which tag. */
export class TagIndex {
  readonly #keys = new Map<string, Set<string>>();

  add(key: string, tags: readonly string[]): void {
    for (const tag of tags) {
      const keys = this.#keys.get(tag);
      if (keys === undefined) this.#keys.set(tag, new Set([key]));
      else keys.add(key);
    }
  }

  remove(key: string, tags: readonly string[]): void {
    for (const tag of tags) {
      const keys = this.#keys.get(tag);
      keys?.delete(key);
      if (keys?.size === 0) this.#keys.delete(tag);
    }
  }

  /** Stays what it is while keys are removed. */
  keysOf(tag: string): readonly string[] {
    return [...(this.#keys.get(tag) ?? [])];
  }

  get tagCount(): number {
    return this.#keys.size;
  }
}
