import type { SharedSubscription } from './sharedSubscription.ts';
import type { Subscriber } from './subscriber.ts';

/** The running shared subscriptions by key. Clients with the same key share one. */
export class SubscriptionRegistry<Live extends { readonly shared: SharedSubscription }> {
  /** In the order in which they got the key. New clients join the first one that is open. */
  readonly #byKey = new Map<string, Set<Live>>();
  /** All running subscriptions, also those without a key. */
  readonly #keyByEntry = new Map<Live, string | undefined>();

  /** Adds a subscriber to the subscription with this key. A `key` holds everything that can change what a client
   *  receives; with `undefined` the subscription is not shared. If none is open, `create` makes one, which calls `onEnd`
   *  when it ends, and `start` starts it. When `start` throws, the subscription is removed and the error is thrown.
   *  Returns a function that removes the subscriber. */
  join(
    key: string | undefined,
    subscriber: Subscriber,
    create: (onEnd: () => void) => Live,
    start: (live: Live) => void,
  ): () => void {
    const known = this.#findOpen(key);
    if (known !== undefined) return known.shared.join(subscriber);
    const live = create(() => this.#remove(live));
    this.#add(live, key);
    const leave = live.shared.join(subscriber);
    try {
      start(live);
    } catch (error) {
      leave();
      throw error;
    }
    return leave;
  }

  /** The subscription that new clients with the same key join: this one or an earlier one. `undefined` if it has no key. */
  findEqual(live: Live): Live | undefined {
    return this.#findOpen(this.#keyByEntry.get(live));
  }

  /** All subscriptions with the same key. */
  *listEqual(live: Live): Iterable<Live> {
    const key = this.#keyByEntry.get(live);
    if (key !== undefined) yield* this.#byKey.get(key) ?? [];
  }

  /** Changes the key of a subscription. If others have the key already, all keep running. */
  rekey(live: Live, key: string | undefined): void {
    if (!this.#keyByEntry.has(live) || this.#keyByEntry.get(live) === key) return;
    this.#remove(live);
    this.#add(live, key);
  }

  list(): readonly Live[] {
    return [...this.#keyByEntry.keys()];
  }

  #findOpen(key: string | undefined): Live | undefined {
    if (key === undefined) return undefined;
    for (const live of this.#byKey.get(key) ?? []) if (live.shared.isOpen) return live;
    return undefined;
  }

  #add(live: Live, key: string | undefined): void {
    this.#keyByEntry.set(live, key);
    if (key === undefined) return;
    const equal = this.#byKey.get(key);
    if (equal === undefined) this.#byKey.set(key, new Set([live]));
    else equal.add(live);
  }

  #remove(live: Live): void {
    const key = this.#keyByEntry.get(live);
    this.#keyByEntry.delete(live);
    if (key === undefined) return;
    const equal = this.#byKey.get(key);
    equal?.delete(live);
    if (equal?.size === 0) this.#byKey.delete(key);
  }
}
