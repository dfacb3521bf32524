import type { SharedSubscription } from './sharedSubscription.ts';
import type { SubscriptionRegistry } from './subscriptionRegistry.ts';

interface CaughtUpEntry {
  readonly shared: SharedSubscription;
}

interface CaughtUpSubscriptionsOptions<Live extends CaughtUpEntry> {
  readonly registry: SubscriptionRegistry<Live>;
  /** Subscriptions with the same key are equal. */
  keyOf(live: Live): string | undefined;
}

/** Subscriptions that have replayed the events their client missed. Each one merges into an equal shared subscription,
 *  or becomes the shared subscription that equal ones join.
 *
 *  All subscriptions of a topic receive an event in the same turn of the event loop. So two idle subscriptions have sent
 *  the same events, and can be merged. */
export class CaughtUpSubscriptions<Live extends CaughtUpEntry> {
  readonly #options: CaughtUpSubscriptionsOptions<Live>;
  readonly #waiting = new Set<Live>();

  constructor(options: CaughtUpSubscriptionsOptions<Live>) {
    this.#options = options;
  }

  add(live: Live): void {
    // A subscription that was only paused may already be the registered one, which others wait to join.
    if (this.#findEqual(live) !== live) this.#waiting.add(live);
    this.mergeWhenIdle(live);
  }

  delete(live: Live): void {
    this.#waiting.delete(live);
  }

  /** Merges what is idle, after the state of `live` changed: `live` itself, or the subscriptions that wait to join it. */
  mergeWhenIdle(live: Live): void {
    if (this.#waiting.size === 0) return;
    // Not within the dispatch of an event: some subscriptions have received it, and others have not yet.
    queueMicrotask(() => {
      if (this.#waiting.has(live)) this.#mergeIfIdle(live);
      else for (const waiting of [...this.#waiting]) this.#mergeIfIdle(waiting);
    });
  }

  #mergeIfIdle(live: Live): void {
    if (!live.shared.isIdle) return;
    const equal = this.#findEqual(live);
    if (equal !== undefined && equal !== live && !equal.shared.isIdle) return;
    this.#waiting.delete(live);
    const { registry, keyOf } = this.#options;
    if (equal === undefined) registry.rekey(live, keyOf(live));
    else if (equal !== live) live.shared.mergeInto(equal.shared);
  }

  #findEqual(live: Live): Live | undefined {
    const { registry, keyOf } = this.#options;
    const key = keyOf(live);
    return key === undefined ? undefined : registry.get(key);
  }
}
