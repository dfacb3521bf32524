/** A list in the order of `compare`, in which no two items are equal. Made for items that arrive almost in this order, and
 *  leave at either end: then an item costs a few comparisons, however long the list is. */
export class SortedList<Item> {
  readonly #items: Item[] = [];
  readonly #compare: (a: Item, b: Item) => number;

  /** `compare`: negative if `a` precedes `b`. */
  constructor(compare: (a: Item, b: Item) => number) {
    this.#compare = compare;
  }

  /** All items, in their order. To be read only until the next change. */
  get items(): readonly Item[] {
    return this.#items;
  }

  get length(): number {
    return this.#items.length;
  }

  get first(): Item | undefined {
    return this.#items[0];
  }

  get last(): Item | undefined {
    return this.#items.at(-1);
  }

  /** Returns how many items precede the new one. */
  add(item: Item): number {
    const { last } = this;
    if (last === undefined || this.#compare(last, item) < 0) return this.#items.push(item) - 1;
    const index = this.#countBefore(item);
    this.#items.splice(index, 0, item);
    return index;
  }

  /** Removes an item that is in the list. Its order must be what it was when the item was added. */
  remove(item: Item): void {
    // V8 moves the start of a long array instead of its elements.
    if (item === this.first) this.#items.shift();
    else if (item === this.last) this.#items.pop();
    else this.#items.splice(this.#countBefore(item), 1);
  }

  #countBefore(item: Item): number {
    let [from, to] = [0, this.#items.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      if (this.#compare(this.#items[middle] as Item, item) < 0) from = middle + 1;
      else to = middle;
    }
    return from;
  }
}
