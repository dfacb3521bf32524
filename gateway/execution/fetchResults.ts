import type { GatewayError } from '../errors.ts';
import type { SubgraphResponse } from '../subgraphs/subgraphClient.ts';
import type { FetchError, FetchResult } from './fetchCall.ts';

/** What a call gets of an answer. */
export function toFetchResult(
  { isEscapeFree, failureStatus, cacheControl, age, extensions }: SubgraphResponse,
  data: unknown,
  errors: readonly FetchError[],
): FetchResult {
  return {
    kind: 'answered',
    data,
    errors,
    isEscapeFree,
    metadata: { failureStatus, cacheControl, age, extensions },
    caching: undefined,
    stale: undefined,
  };
}

export function toFailedResult(error: GatewayError): FetchResult {
  return { kind: 'failed', error };
}
