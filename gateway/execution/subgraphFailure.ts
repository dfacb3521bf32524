import { type ErrorCode, GatewayError } from '../errors.ts';
import { httpStatusOf } from '../subgraphs/callErrors.ts';
import { isRefusalCode } from '../subgraphs/refusalCodes.ts';
import type { FetchError } from './fetchCall.ts';

/** Whether the subgraph failed, so that a stale value is the better result. A rejection is no failure: a cache must not
 *  serve a value that the client was just denied. */
export function isSubgraphFailure(reason: FetchError['entry']): boolean {
  if (!(reason instanceof GatewayError)) {
    return !isRefusalCode(reason.extensions?.code) && !isRefusal(reason.failureStatus);
  }
  if (reason.code === 'SUBGRAPH_ERROR') return isRetriable(httpStatusOf(reason));
  return reason.code !== 'BAD_REQUEST' && reason.code !== 'REQUEST_ABORTED';
}

function isRefusal(status: number | undefined): boolean {
  return status !== undefined && status >= 400 && status < 500 && !isRetriable(status);
}

/** Too many requests, or a timeout: a later request may succeed. */
function isRetriable(status: number | undefined): boolean {
  return status === 429 || status === 408;
}

/** Failures that say nothing about the request: the subgraph could not be reached, did not respond in time, or has too
 *  much to do. */
const transientCodes: ReadonlySet<ErrorCode> = new Set([
  'SUBGRAPH_TIMEOUT',
  'SUBGRAPH_UNREACHABLE',
  'DEADLINE_EXCEEDED',
  'OVERLOADED',
  'CIRCUIT_OPEN',
]);

const transientStatuses: ReadonlySet<unknown> = new Set([408, 429, 502, 503, 504]);

/** Whether a later attempt may succeed. GraphQL errors of a subgraph are final, and so are invalid responses. */
export function isTransientFailure(reason: FetchError['entry']): boolean {
  if (!(reason instanceof GatewayError)) return transientStatuses.has(reason.failureStatus);
  const status = httpStatusOf(reason);
  return status === undefined ? transientCodes.has(reason.code) : transientStatuses.has(status);
}
