import { GatewayError } from '../errors.ts';
import type { FetchError } from './fetchCall.ts';

/** Codes by which a subgraph says that it is well, and that the request is not. */
const refusalCodes: ReadonlySet<unknown> = new Set([
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'BAD_USER_INPUT',
  'BAD_REQUEST',
  'NOT_FOUND',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'OPERATION_RESOLUTION_FAILURE',
  'PERSISTED_QUERY_NOT_FOUND',
  'PERSISTED_QUERY_NOT_SUPPORTED',
]);

/** Whether something went wrong at the subgraph, so that what it said earlier is the better answer. What it refuses is
 *  refused: nobody may see by a cache what he has just been denied. `failureStatus`: of the answer that has the
 *  subgraph's own error. */
export function isSubgraphFailure(reason: FetchError['entry'], failureStatus?: number): boolean {
  if (!(reason instanceof GatewayError)) {
    return !refusalCodes.has(reason.extensions?.code) && !isRefusal(failureStatus);
  }
  if (reason.code === 'SUBGRAPH_ERROR') {
    const { http } = reason.extensions;
    const status = typeof http === 'object' && http !== null && 'status' in http ? http.status : undefined;
    return isRetriable(status);
  }
  return reason.code !== 'BAD_REQUEST' && reason.code !== 'REQUEST_ABORTED';
}

function isRefusal(status: number | undefined): boolean {
  return status !== undefined && status >= 400 && status < 500 && !isRetriable(status);
}

/** Too many requests, or one that took too long: it would have answered another time. */
function isRetriable(status: unknown): boolean {
  return status === 429 || status === 408;
}
