import type { SharedSubscription } from './sharedSubscription.ts';
import type { SubscriptionRegistry } from './subscriptionRegistry.ts';

interface CaughtUpEntry {
  readonly shared: SharedSubscription;
}

/** Subscriptions that are merged without a pause, which takes a few milliseconds. */
const mergesPerTurn = 200;

/** Subscriptions that have replayed the events their client missed. Each one merges into an equal shared subscription,
 *  or becomes the shared subscription that equal ones join.
 *
 *  All subscriptions of a topic receive an event in the same turn of the event loop. So two idle subscriptions have sent
 *  the same events, and can be merged. */
export class CaughtUpSubscriptions<Live extends CaughtUpEntry> {
  readonly #registry: SubscriptionRegistry<Live>;
  readonly #waiting = new Set<Live>();

  constructor(registry: SubscriptionRegistry<Live>) {
    this.#registry = registry;
  }

  /** Subscriptions with the same key are equal. */
  add(live: Live, key: string | undefined): void {
    this.#registry.rekey(live, key);
    this.#waiting.add(live);
    this.mergeWhenIdle(live);
  }

  delete(live: Live): void {
    this.#waiting.delete(live);
  }

  /** Merges what is idle, after the state of `live` changed: `live` itself, or the subscriptions that wait to join it. */
  mergeWhenIdle(live: Live): void {
    if (this.#waiting.size === 0) return;
    // Not within the dispatch of an event: some subscriptions have received it, and others have not yet.
    queueMicrotask(() => this.#merge(live));
  }

  #merge(live: Live): void {
    const target = this.#registry.findEqual(live);
    if (target === undefined || !target.shared.isIdle) return;
    this.#waiting.delete(target);
    let merged = 0;
    for (const equal of target === live ? this.#registry.listEqual(live) : [live]) {
      if (!equal.shared.isIdle || !this.#waiting.delete(equal)) continue;
      equal.shared.mergeInto(target.shared);
      merged += 1;
      if (merged < mergesPerTurn) continue;
      setImmediate(() => this.#merge(live));
      return;
    }
  }
}
