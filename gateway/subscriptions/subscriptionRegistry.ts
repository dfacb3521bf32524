import type { SharedSubscription } from './sharedSubscription.ts';
import type { Subscriber } from './subscriber.ts';

/** The running shared subscriptions by key. Clients with the same key share one. */
export class SubscriptionRegistry<Live extends { readonly shared: SharedSubscription }> {
  readonly #byKey = new Map<string, Live>();
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
    const known = key === undefined ? undefined : this.#byKey.get(key);
    if (known?.shared.isOpen) return known.shared.join(subscriber);
    const live = create(() => this.#remove(live));
    this.#keyByEntry.set(live, key);
    if (key !== undefined) this.#byKey.set(key, live);
    const leave = live.shared.join(subscriber);
    try {
      start(live);
    } catch (error) {
      leave();
      throw error;
    }
    return leave;
  }

  get(key: string): Live | undefined {
    return this.#byKey.get(key);
  }

  /** Changes the key of a subscription. If another one has the key already, both keep running, and new clients join the
   *  other. */
  rekey(live: Live, key: string | undefined): void {
    if (!this.#keyByEntry.has(live)) return;
    this.#remove(live);
    this.#keyByEntry.set(live, key);
    if (key !== undefined && !this.#byKey.has(key)) this.#byKey.set(key, live);
  }

  list(): readonly Live[] {
    return [...this.#keyByEntry.keys()];
  }

  #remove(live: Live): void {
    const key = this.#keyByEntry.get(live);
    this.#keyByEntry.delete(live);
    if (key !== undefined && this.#byKey.get(key) === live) this.#byKey.delete(key);
  }
}
