import { GatewayError } from '../errors.ts';
import type { DropReason } from './policies/callQueue.ts';

/** Why a response of a subgraph is invalid. For the log only. */
export class InvalidResponseError extends Error {
  override readonly name = 'InvalidResponseError';
}

export function invalidResponseError(subgraph: string, cause: Error): GatewayError {
  return new GatewayError('SUBGRAPH_INVALID_RESPONSE', 'A subgraph sent an invalid response.', {
    subgraph,
    cause,
  });
}

/** For a response outside 2xx that is not a GraphQL response. */
export function statusError(subgraph: string, status: number, cause: Error): GatewayError {
  const options = { subgraph, cause, extensions: { http: { status } } };
  return status >= 500
    ? new GatewayError('SUBGRAPH_UNREACHABLE', 'A subgraph is not available.', options)
    : new GatewayError('SUBGRAPH_ERROR', 'A subgraph refused the request.', options);
}

/** HTTP status of the subgraph's response, if the error was caused by one outside 2xx. */
export function httpStatusOf({ extensions: { http } }: GatewayError): number | undefined {
  if (typeof http !== 'object' || http === null || !('status' in http)) return undefined;
  return typeof http.status === 'number' ? http.status : undefined;
}

export function unreachableError(subgraph: string, cause: Error): GatewayError {
  return new GatewayError('SUBGRAPH_UNREACHABLE', 'A subgraph could not be reached.', { subgraph, cause });
}

export function attemptTimeoutError(subgraph: string, cause?: Error): GatewayError {
  return new GatewayError(
    'SUBGRAPH_TIMEOUT',
    'A subgraph did not respond within its time limit (timeouts.attempt).',
    { subgraph, cause },
  );
}

/** An attempt of a subscription was not accepted in time. */
export function connectTimeoutError(subgraph: string): GatewayError {
  return new GatewayError(
    'SUBGRAPH_TIMEOUT',
    'A subgraph did not accept a subscription within its time limit (subscriptions.connectTimeout).',
    { subgraph },
  );
}

/** The call was dropped from the queue of the subgraph, or before it. */
export function overloadedError(subgraph: string, reason: DropReason): GatewayError {
  return new GatewayError('OVERLOADED', dropMessages[reason], { subgraph });
}

const dropMessages: Readonly<Record<DropReason, string>> = {
  full: 'Too many calls wait for a subgraph. Try again in a moment (concurrency.queue).',
  deadline:
    'A subgraph is too busy to respond before the deadline of the request. Try again in a moment (timeouts.deadline).',
  'queue time': 'Calls wait too long for a subgraph. Try again in a moment (overload.queueTime).',
};

/** The circuit breaker of the subgraph, or of one of the fetched fields, is open. */
export function circuitOpenError(subgraph: string): GatewayError {
  const message = 'A subgraph has failed repeatedly and is not called for the moment (breaker.openFor).';
  return new GatewayError('CIRCUIT_OPEN', message, { subgraph });
}

export function deadlineExceededError(subgraph: string): GatewayError {
  return new GatewayError(
    'DEADLINE_EXCEEDED',
    'The deadline of the request passed before a subgraph responded (timeouts.deadline).',
    { subgraph },
  );
}

function codeOf(error: Error): string {
  const code: unknown = 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}

/** The request could not be created or sent, such as for an invalid URL. */
export function requestCreationError(subgraph: string, cause: unknown): GatewayError {
  const message = 'The gateway could not create its request to a subgraph.';
  return new GatewayError('INTERNAL_SERVER_ERROR', message, { subgraph, cause });
}

/** Translates an error of undici or of the socket. `hasHead`: status and headers had arrived. */
export function transportError(subgraph: string, error: Error, hasHead: boolean): GatewayError {
  const code = codeOf(error);
  switch (code) {
    case 'UND_ERR_CONNECT_TIMEOUT':
      return attemptTimeoutError(subgraph, error);
    case 'UND_ERR_HEADERS_OVERFLOW':
      return invalidResponseError(subgraph, error);
    case 'UND_ERR_INVALID_ARG':
    case 'UND_ERR_NOT_SUPPORTED':
      return requestCreationError(subgraph, error);
    case 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH':
      // undici uses this code for two different lengths in the head, and for a body that ends early.
      return hasHead ? unreachableError(subgraph, error) : invalidResponseError(subgraph, error);
  }
  // A connection that ends inside a response is a lost connection like any other.
  if (error.name === 'HTTPParserError' && !error.message.includes('EOF')) {
    return invalidResponseError(subgraph, error);
  }
  return unreachableError(subgraph, error);
}

/** The connection was lost, as an idle connection is when the server has closed it. */
export function isLostConnection(error: Error): boolean {
  const code = codeOf(error);
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
}

/** Node has refused the response over HTTP/2, because it counts more than 10 MB as waiting to be sent (`retireHttp2`). The
 *  request has arrived. */
export function isExhaustedConnection(error: Error): boolean {
  return codeOf(error) === 'ERR_HTTP2_STREAM_ERROR' && error.message.includes('NGHTTP2_ENHANCE_YOUR_CALM');
}
