import type { GatewayError } from '../errors.ts';
import type { SubgraphResponse } from '../subgraph-client/subgraphClient.ts';
import type { FetchError, FetchResult } from './fetchCall.ts';

/** What a call gets of an answer. */
export function answeredWith(
  { isEscapeFree, failureStatus, cacheControl, age, extensions }: SubgraphResponse,
  data: unknown,
  errors: readonly FetchError[],
): FetchResult {
  return {
    kind: 'answered',
    data,
    errors,
    isEscapeFree,
    answer: { failureStatus, cacheControl, age, extensions },
    caching: undefined,
    stale: undefined,
  };
}

export function toFailure(error: GatewayError): FetchResult {
  return { kind: 'failed', error };
}
