import { GatewayError } from '../errors.ts';
import type { FetchError } from './fetchCall.ts';

/** Error codes with which a subgraph rejects a request without having failed itself. */
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

/** Whether the subgraph failed, so that a stale value is the better result. A rejection is no failure: a cache must not
 *  serve a value that the client was just denied. `failureStatus`: HTTP status of the response that has the error. */
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

/** Too many requests, or a timeout: a later request may succeed. */
function isRetriable(status: unknown): boolean {
  return status === 429 || status === 408;
}
