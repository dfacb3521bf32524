import type { Subscriber, SubscriptionRun } from './subscriptionRun.ts';

/** The subscriptions under way, by what makes two of them equal: equal ones are one. */
export class SubscriptionRuns {
  readonly #byKey = new Map<string, SubscriptionRun>();
  readonly #all = new Set<SubscriptionRun>();

  get size(): number {
    return this.#all.size;
  }

  /** `key`: everything that may change what a client gets; `undefined` for what is equal to nothing. `create` is
   *  told what to call when the run ends. Returns what ends it for this subscriber. */
  join(
    key: string | undefined,
    subscriber: Subscriber,
    create: (onEnd: () => void) => SubscriptionRun,
  ): () => void {
    const known = key === undefined ? undefined : this.#byKey.get(key);
    if (known !== undefined) return known.join(subscriber);
    const run = create(() => {
      this.#all.delete(run);
      if (key !== undefined && this.#byKey.get(key) === run) this.#byKey.delete(key);
    });
    this.#all.add(run);
    if (key !== undefined) this.#byKey.set(key, run);
    const leave = run.join(subscriber);
    run.start();
    return leave;
  }

  all(): readonly SubscriptionRun[] {
    return [...this.#all];
  }
}
