import type { Flight, Leader } from '../../sharing/singleFlight.ts';
import type { SlicedTask } from '../../time/slicedTask.ts';
import type { FetchCache } from './fetchCache.ts';
import { type FetchJoiner, type FlightOutcome, settleFlight } from './fetchFlights.ts';
import type { CacheableItem } from './itemizedCall.ts';

/** The fetches that one request leads and that other requests may join. */
export class LeaderFetches {
  readonly #cache: FetchCache;
  readonly #leader: Leader<FetchJoiner>;
  readonly #flights = new Map<string, Flight<FetchJoiner>>();
  /** Keys that another process has claimed: this process has no claim to release. */
  readonly #claimedElsewhere = new Set<string>();
  /** Counted, because a list may have thousands of flights, and each joiner that leaves needs to know if others wait. */
  #joinerCount = 0;

  constructor(cache: FetchCache, leader: Leader<FetchJoiner>) {
    this.#cache = cache;
    this.#leader = {
      onJoin: (joiner) => {
        this.#joinerCount += 1;
        leader.onJoin(joiner);
      },
      onLeave: (joiner) => {
        this.#joinerCount -= 1;
        leader.onLeave(joiner);
      },
    };
  }

  /** False if another request of this process is fetching the value. */
  tryLead(key: string): boolean {
    const flight = this.#cache.singleFlight.tryLead(key, this.#leader);
    if (flight === undefined) return false;
    this.#flights.set(key, flight);
    return true;
  }

  /** Another process is fetching the value. */
  markClaimedElsewhere(key: string): void {
    this.#claimedElsewhere.add(key);
  }

  get hasJoiners(): boolean {
    return this.#joinerCount > 0;
  }

  /** Releases the claims on these keys and gives the outcome to the joiners. Keys that this request does not lead are
   *  ignored. */
  settle(keys: readonly string[], outcome: FlightOutcome): void {
    const flights: Flight<FetchJoiner>[] = [];
    const claimed: string[] = [];
    for (const key of keys) {
      const flight = this.#flights.get(key);
      if (flight === undefined) continue;
      this.#flights.delete(key);
      flights.push(flight);
      if (!this.#claimedElsewhere.delete(key)) claimed.push(key);
    }
    if (claimed.length > 0) this.#cache.store.release(claimed, 0);
    for (const flight of flights) {
      this.#joinerCount -= flight.joiners.length;
      settleFlight(flight, outcome);
    }
  }

  *settleInSlices(items: readonly { readonly item: CacheableItem }[], outcome: FlightOutcome): SlicedTask {
    for (let start = 0; start < items.length; start += itemsPerSlice) {
      if (start > 0) yield;
      this.settle(
        items.slice(start, start + itemsPerSlice).map(({ item }) => item.key),
        outcome,
      );
    }
  }

  abandon(): void {
    this.settle([...this.#flights.keys()], { kind: 'abandoned' });
  }
}

/** A slice is small because each item may have many joiners. */
const itemsPerSlice = 100;
