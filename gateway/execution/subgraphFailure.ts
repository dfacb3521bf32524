import { GatewayError } from '../errors.ts';
import { isRefusalCode } from '../subgraphs/refusalCodes.ts';
import type { FetchError } from './fetchCall.ts';

/** Whether the subgraph failed, so that a stale value is the better result. A rejection is no failure: a cache must not
 *  serve a value that the client was just denied. `failureStatus`: HTTP status of the response that has the error. */
export function isSubgraphFailure(reason: FetchError['entry'], failureStatus?: number): boolean {
  if (!(reason instanceof GatewayError)) {
    return !isRefusalCode(reason.extensions?.code) && !isRefusal(failureStatus);
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
