import type { GatewayError } from '../errors.ts';
import type { SlicedWork } from '../time/inSlices.ts';
import type { CacheUnit } from './cacheUnits.ts';
import type { FetchCache } from './fetchCache.ts';
import type { FlightEnd, Pilot } from './flights.ts';

/** The fetches that one request has begun and that others may wait for. */
export class LedFlights {
  readonly #cache: FetchCache;
  readonly #pilot: Pilot;
  readonly #keys = new Set<string>();
  /** Those of which another process has the claim: there is none to give back. */
  readonly #unclaimed = new Set<string>();

  constructor(cache: FetchCache, pilot: Pilot) {
    this.#cache = cache;
    this.#pilot = pilot;
  }

  /** False where another request fetches it. */
  begin(key: string): boolean {
    if (!this.#cache.flights.begin(key, this.#pilot)) return false;
    this.#keys.add(key);
    return true;
  }

  /** Another process has the claim. */
  leaveToOther(key: string): void {
    this.#unclaimed.add(key);
  }

  get isAwaited(): boolean {
    for (const key of this.#keys) if (this.#cache.flights.isAwaited(key)) return true;
    return false;
  }

  /** Tells other processes and whoever waits. Keys that this request did not begin with are passed over. */
  end(keys: readonly string[], end: FlightEnd<GatewayError>): void {
    const led = keys.filter((key) => this.#keys.delete(key));
    if (led.length === 0) return;
    const claimed = led.filter((key) => !this.#unclaimed.delete(key));
    if (claimed.length > 0) this.#cache.store.release(claimed, 0);
    for (const key of led) this.#cache.flights.end(key, end);
  }

  *endInSlices(units: readonly { readonly unit: CacheUnit }[], end: FlightEnd<GatewayError>): SlicedWork {
    for (let start = 0; start < units.length; start += unitsPerPause) {
      if (start > 0) yield;
      this.end(
        units.slice(start, start + unitsPerPause).map(({ unit }) => unit.key),
        end,
      );
    }
  }

  giveUp(): void {
    this.end([...this.#keys], { kind: 'given up' });
  }
}

/** Each may have others waiting for it. */
const unitsPerPause = 100;
