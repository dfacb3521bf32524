/** Below this number of deletions, a copy would cost more than it saves. */
const fewestDeletionsPerCopy = 64;

/** A `Map` that lives long, with values that do not: calls under way, open requests.
 *
 *  A plain Map would keep them in memory for much longer. When V8 makes room in a Map or a Set, the old table refers to the
 *  new one, and to the members of that moment. After a full garbage collection, one of the tables is in the old generation.
 *  The chain of tables that begins there, with all their members, stays in memory until the next full collection, and each
 *  collection of the young generation copies what was added to it. A copy begins a new chain. */
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
    // A copy costs in proportion to the size, so it is spread over as many deletions.
    if (this.#deletions < fewestDeletionsPerCopy || this.#deletions < this.#entries.size) return;
    this.#deletions = 0;
    this.#entries = new Map(this.#entries);
  }
}
