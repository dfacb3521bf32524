import type { SharedSubscription, Subscriber } from './sharedSubscription.ts';

/** The subscriptions under way, by what makes two of them equal: equal ones are one. */
export class SubscriptionRegistry<Live extends { readonly shared: SharedSubscription }> {
  readonly #byKey = new Map<string, Live>();
  /** With their keys. */
  readonly #keyByEntry = new Map<Live, string | undefined>();

  get size(): number {
    return this.#keyByEntry.size;
  }

  /** `key`: everything that may change what a client gets; `undefined` for what is equal to nothing. Where there is none
   *  yet, `create` is told what to call when the run ends, and `start` starts it: what that throws is thrown, and nothing
   *  is left. Returns what ends it for this subscriber. */
  join(
    key: string | undefined,
    subscriber: Subscriber,
    create: (onEnd: () => void) => Live,
    start: (live: Live) => void,
  ): () => void {
    const known = key === undefined ? undefined : this.#byKey.get(key);
    if (known !== undefined) return known.shared.join(subscriber);
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

  /** It is equal to others now. Two that have become equal stay two. */
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
