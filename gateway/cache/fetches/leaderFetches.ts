import type { GatewayError } from '../../errors.ts';
import type { SlicedTask } from '../../time/slicedTask.ts';
import type { FetchCache } from './fetchCache.ts';
import type { CacheableItem } from './itemizedCall.ts';
import type { FetchOutcome, Leader } from './singleFlight.ts';

/** The fetches that one request has begun and that others may wait for. */
export class LeaderFetches {
  readonly #cache: FetchCache;
  readonly #leader: Leader;
  readonly #keys = new Set<string>();
  /** Those of which another process has the claim: there is none to give back. */
  readonly #claimedElsewhere = new Set<string>();

  constructor(cache: FetchCache, pilot: Leader) {
    this.#cache = cache;
    this.#leader = pilot;
  }

  /** False where another request fetches it. */
  tryLead(key: string): boolean {
    if (!this.#cache.singleFlight.tryLead(key, this.#leader)) return false;
    this.#keys.add(key);
    return true;
  }

  /** Another process has the claim. */
  markClaimedElsewhere(key: string): void {
    this.#claimedElsewhere.add(key);
  }

  get hasJoiners(): boolean {
    for (const key of this.#keys) if (this.#cache.singleFlight.hasJoiners(key)) return true;
    return false;
  }

  /** Tells other processes and whoever waits. Keys that this request did not begin with are passed over. */
  settle(keys: readonly string[], end: FetchOutcome<GatewayError>): void {
    const led = keys.filter((key) => this.#keys.delete(key));
    if (led.length === 0) return;
    const claimed = led.filter((key) => !this.#claimedElsewhere.delete(key));
    if (claimed.length > 0) this.#cache.store.release(claimed, 0);
    for (const key of led) this.#cache.singleFlight.settle(key, end);
  }

  *settleInSlices(
    items: readonly { readonly item: CacheableItem }[],
    end: FetchOutcome<GatewayError>,
  ): SlicedTask {
    for (let start = 0; start < items.length; start += itemsPerSlice) {
      if (start > 0) yield;
      this.settle(
        items.slice(start, start + itemsPerSlice).map(({ item }) => item.key),
        end,
      );
    }
  }

  abandon(): void {
    this.settle([...this.#keys], { kind: 'abandoned' });
  }
}

/** Each may have others waiting for it. */
const itemsPerSlice = 100;
