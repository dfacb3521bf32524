import type { DocumentNode } from 'graphql';
import { LRUCache } from 'lru-cache';

/** A cache for Apollo Server, bounded by the characters of the operation texts in it, and perhaps by their number. */
export class TextSizedCache<Value extends string | DocumentNode> {
  readonly #values: LRUCache<string, Value>;

  /** `maxEntries`: `undefined` for no other limit. */
  constructor(maxCharacters: number, lengthOf: (value: Value) => number, maxEntries?: number) {
    this.#values = new LRUCache({
      ...(maxEntries === undefined ? {} : { max: maxEntries }),
      maxSize: maxCharacters,
      sizeCalculation: (value) => textSizeOf(lengthOf(value)),
    });
  }

  get(key: string): Promise<Value | undefined> {
    return Promise.resolve(this.find(key));
  }

  find(key: string): Value | undefined {
    return this.#values.get(key);
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  set(key: string, value: Value): Promise<void> {
    this.#values.set(key, value);
    return Promise.resolve();
  }

  delete(key: string): Promise<boolean> {
    return Promise.resolve(this.#values.delete(key));
  }
}

/** What a text counts in a cache: its characters, but a short one at least as much as its entry takes. */
export function textSizeOf(characters: number): number {
  return Math.max(minTextSize, characters);
}

const minTextSize = 100;
