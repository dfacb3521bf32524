import type { Subscriber, SubscriptionRun } from './subscriptionRun.ts';

/** The subscriptions under way, by what makes two of them equal: equal ones are one. */
export class SubscriptionRuns<Live extends { readonly run: SubscriptionRun }> {
  readonly #byKey = new Map<string, Live>();
  /** With their keys. */
  readonly #all = new Map<Live, string | undefined>();

  get size(): number {
    return this.#all.size;
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
    if (known !== undefined) return known.run.join(subscriber);
    const live = create(() => this.#forget(live));
    this.#all.set(live, key);
    if (key !== undefined) this.#byKey.set(key, live);
    const leave = live.run.join(subscriber);
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
  rename(live: Live, key: string | undefined): void {
    if (!this.#all.has(live)) return;
    this.#forget(live);
    this.#all.set(live, key);
    if (key !== undefined && !this.#byKey.has(key)) this.#byKey.set(key, live);
  }

  all(): readonly Live[] {
    return [...this.#all.keys()];
  }

  #forget(live: Live): void {
    const key = this.#all.get(live);
    this.#all.delete(live);
    if (key !== undefined && this.#byKey.get(key) === live) this.#byKey.delete(key);
  }
}
