import type { GatewayError } from '../../errors.ts';
import { isSubgraphFailure } from '../../execution/subgraphFailure.ts';
import type { Flight, SingleFlight } from '../../sharing/singleFlight.ts';
import type { CallPriority } from '../../subgraphs/policies/callPriority.ts';
import type { FetchSpan } from '../../telemetry/fetchSpan.ts';

/** How the fetch of a missing value ended, for the requests that joined it. */
export type FlightOutcome =
  /** The value may be in the store now. It is not if the response was for the leader alone. */
  | { readonly kind: 'completed' }
  /** The leader was cancelled, or had less time: the fetch did not complete. */
  | { readonly kind: 'abandoned' }
  | { readonly kind: 'failed'; readonly failure: GatewayError };

/** A request that waits for a value that another request fetches. */
export interface FetchJoiner {
  readonly priority: CallPriority;
  readonly span?: FetchSpan | undefined;
  onSettled(outcome: FlightOutcome): void;
}

/** The missing values that this process is fetching, by cache key. */
export type FetchFlights = SingleFlight<FetchJoiner>;

/** Ends a flight and gives the outcome to its joiners. */
export function settleFlight(flight: Flight<FetchJoiner> | undefined, outcome: FlightOutcome): void {
  for (const joiner of flight?.settle() ?? []) joiner.onSettled(outcome);
}

/** What the failure of a fetch means for its joiners. */
export function flightOutcomeOf(error: GatewayError): FlightOutcome {
  if (error.code === 'DEADLINE_EXCEEDED' || error.code === 'REQUEST_ABORTED') return { kind: 'abandoned' };
  // The subgraph refused the leader, which says nothing about the joiners: each sends its own request.
  return isSubgraphFailure(error) ? { kind: 'failed', failure: error } : { kind: 'completed' };
}
