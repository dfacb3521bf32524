import type { SharedSubscription } from './sharedSubscription.ts';
import type { SubscriptionRegistry } from './subscriptionRegistry.ts';

interface CaughtUpEntry {
  readonly shared: SharedSubscription;
}

interface CaughtUpSubscriptionsOptions<Live extends CaughtUpEntry> {
  readonly registry: SubscriptionRegistry<Live>;
  /** What makes two of them equal. */
  keyOf(live: Live): string | undefined;
}

/** Subscriptions that have got what their clients had missed, and are no different from others any more: each joins
 *  the one that is equal to it, or becomes the one that others join. All of them get an event in one turn, so that
 *  two of which neither has anything left to send are at the same place. */
export class CaughtUpSubscriptions<Live extends CaughtUpEntry> {
  readonly #options: CaughtUpSubscriptionsOptions<Live>;
  readonly #waiting = new Set<Live>();

  constructor(options: CaughtUpSubscriptionsOptions<Live>) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.size;
  }

  /** It has caught up. */
  add(live: Live): void {
    // One that was only held up may be what others wait for.
    if (this.#findEqual(live) !== live) this.#waiting.add(live);
    this.mergeWhenIdle(live);
  }

  delete(live: Live): void {
    this.#waiting.delete(live);
  }

  /** Something has changed for this one, or for those that wait for it. */
  mergeWhenIdle(live: Live): void {
    if (this.#waiting.size === 0) return;
    // Not in the turn in which some have got an event and others have not.
    queueMicrotask(() => {
      if (this.#waiting.has(live)) this.#mergeIfIdle(live);
      else for (const other of [...this.#waiting]) this.#mergeIfIdle(other);
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
