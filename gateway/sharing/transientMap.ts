import { isCopyDue } from './transientSet.ts';

/** A `Map` that lives long, with values that do not. A plain Map would keep them in memory for much longer: see
 *  `TransientSet`. */
export class TransientMap<Key, Value> {
  #entries = new Map<Key, Value>();
  #deletions = 0;

  get size(): number {
    return this.#entries.size;
  }

  keys(): MapIterator<Key> {
    return this.#entries.keys();
  }

  values(): MapIterator<Value> {
    return this.#entries.values();
  }

  get(key: Key): Value | undefined {
    return this.#entries.get(key);
  }

  set(key: Key, value: Value): void {
    this.#entries.set(key, value);
  }

  delete(key: Key): void {
    if (!this.#entries.delete(key)) return;
    this.#deletions += 1;
    if (!isCopyDue(this.#deletions, this.#entries.size)) return;
    this.#deletions = 0;
    this.#entries = new Map(this.#entries);
  }
}
