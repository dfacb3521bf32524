import { collectGarbage } from '../../gateway/memory/collectGarbage.ts';
import { waitForTurns } from './waitForTurns.ts';

const maxCollections = 20;

/** Objects that should not stay in memory. `queryObjects` of node:v8 would find them without a list, but reads the whole
 *  heap of the worker, which takes seconds for each call. */
export class WeakList {
  readonly #references: WeakRef<object>[] = [];

  /** Returns the object. Pass it on without a variable: that of a suspended function may keep it in memory. */
  add<Item extends object>(object: Item): Item {
    this.#references.push(new WeakRef(object));
    return object;
  }

  /** Number of the objects that are still in memory after some garbage collections.
   *  @throws {Error} for an empty list. */
  async countRemaining(): Promise<number> {
    for (let collection = 1; ; collection++) {
      const count = await this.count();
      if (count === 0 || collection === maxCollections) return count;
    }
  }

  /** The same after one collection, which may still find objects on the stack, or in a task that has run but is not over.
   *  @throws {Error} for an empty list. */
  async count(): Promise<number> {
    if (this.#references.length === 0) throw new Error('No object was added.');
    // What was added or counted in this turn is kept until its end.
    await waitForTurns();
    collectGarbage('regular');
    return this.#references.filter((reference) => reference.deref() !== undefined).length;
  }
}
