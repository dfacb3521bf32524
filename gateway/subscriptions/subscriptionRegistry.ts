import type { SharedSubscription } from './sharedSubscription.ts';
import type { Subscriber } from './subscriber.ts';

/** The running shared subscriptions by key. Clients with the same key share one. */
export class SubscriptionRegistry<Active extends { readonly shared: SharedSubscription }> {
  /** In the order in which they got the key. New clients join the first one that is open. */
  readonly #byKey = new Map<string, Set<Active>>();
  /** All running subscriptions, also those without a key. */
  readonly #keyByEntry = new Map<Active, string | undefined>();

  /** Adds a subscriber to the subscription with this key. A `key` holds everything that can change what a client
   *  receives; with `undefined` the subscription is not shared. If none is open, `create` makes one, which calls `onEnd`
   *  when it ends, and `start` starts it. When `start` throws, the subscription is removed and the error is thrown.
   *  Returns a function that removes the subscriber. */
  join(
    key: string | undefined,
    subscriber: Subscriber,
    create: (onEnd: () => void) => Active,
    start: (active: Active) => void,
  ): () => void {
    const known = this.#findOpen(key);
    if (known !== undefined) return known.shared.join(subscriber);
    const active = create(() => this.#remove(active));
    this.#add(active, key);
    const leave = active.shared.join(subscriber);
    try {
      start(active);
    } catch (error) {
      leave();
      throw error;
    }
    return leave;
  }

  /** The subscription that new clients with the same key join: this one or an earlier one. `undefined` if it has no key. */
  findEqual(active: Active): Active | undefined {
    return this.#findOpen(this.#keyByEntry.get(active));
  }

  /** All subscriptions with the same key. */
  *listEqual(active: Active): Iterable<Active> {
    const key = this.#keyByEntry.get(active);
    if (key !== undefined) yield* this.#byKey.get(key) ?? [];
  }

  /** Changes the key of a subscription. If others have the key already, all keep running. */
  rekey(active: Active, key: string | undefined): void {
    if (!this.#keyByEntry.has(active) || this.#keyByEntry.get(active) === key) return;
    this.#remove(active);
    this.#add(active, key);
  }

  list(): readonly Active[] {
    return [...this.#keyByEntry.keys()];
  }

  #findOpen(key: string | undefined): Active | undefined {
    if (key === undefined) return undefined;
    for (const active of this.#byKey.get(key) ?? []) if (active.shared.isOpen) return active;
    return undefined;
  }

  #add(active: Active, key: string | undefined): void {
    this.#keyByEntry.set(active, key);
    if (key === undefined) return;
    const equal = this.#byKey.get(key);
    if (equal === undefined) this.#byKey.set(key, new Set([active]));
    else equal.add(active);
  }

  #remove(active: Active): void {
    const key = this.#keyByEntry.get(active);
    this.#keyByEntry.delete(active);
    if (key === undefined) return;
    const equal = this.#byKey.get(key);
    equal?.delete(active);
    if (equal?.size === 0) this.#byKey.delete(key);
  }
}
