import { FetchCache } from '../../../../gateway/cache/fetches/fetchCache.ts';
import type { FetchFlights, FetchJoiner } from '../../../../gateway/cache/fetches/fetchFlights.ts';
import { type Flight, SingleFlight } from '../../../../gateway/sharing/singleFlight.ts';

/** A cache whose fetches in flight a test can see. */
export class ObservedFetchCache extends FetchCache {
  readonly flights = new Map<string, Flight<FetchJoiner>>();
  override readonly singleFlight: FetchFlights = new SingleFlight(this.flights);
}
