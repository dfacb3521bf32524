import type { GatewayError } from '../../errors.ts';
import { isSubgraphFailure } from '../../execution/subgraphFailure.ts';
import type { FetchOutcome } from './singleFlight.ts';

/** What a failed fetch is for those who waited for it. */
export function fetchOutcomeOf(error: GatewayError): FetchOutcome<GatewayError> {
  if (error.code === 'DEADLINE_EXCEEDED' || error.code === 'REQUEST_ABORTED') return { kind: 'given up' };
  // Who was refused is not everybody: the others ask for themselves.
  return isSubgraphFailure(error) ? { kind: 'failed', failure: error } : { kind: 'landed' };
}
