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
export class CaughtUpSubscriptions<Active extends CaughtUpEntry> {
  readonly #registry: SubscriptionRegistry<Active>;
  readonly #waiting = new Set<Active>();

  constructor(registry: SubscriptionRegistry<Active>) {
    this.#registry = registry;
  }

  /** Subscriptions with the same key are equal. */
  add(active: Active, key: string | undefined): void {
    this.#registry.rekey(active, key);
    this.#waiting.add(active);
    this.mergeWhenIdle(active);
  }

  delete(active: Active): void {
    this.#waiting.delete(active);
  }

  /** Merges what is idle, after the state of `active` changed: `active` itself, or the subscriptions that wait to join
   *  it. */
  mergeWhenIdle(active: Active): void {
    if (this.#waiting.size === 0) return;
    // Not within the dispatch of an event: some subscriptions have received it, and others have not yet.
    queueMicrotask(() => this.#merge(active));
  }

  #merge(active: Active): void {
    const target = this.#registry.findEqual(active);
    if (target === undefined || !target.shared.isIdle) return;
    this.#waiting.delete(target);
    let merged = 0;
    for (const equal of target === active ? this.#registry.listEqual(active) : [active]) {
      if (!equal.shared.isIdle || !this.#waiting.delete(equal)) continue;
      equal.shared.mergeInto(target.shared);
      merged += 1;
      if (merged < mergesPerTurn) continue;
      setImmediate(() => this.#merge(active));
      return;
    }
  }
}
