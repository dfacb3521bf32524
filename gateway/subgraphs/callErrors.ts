import { GatewayError } from '../errors.ts';

/** Why a subgraph's bytes are no answer; for the log only. */
export class InvalidResponseError extends Error {
  override readonly name = 'AnswerProblem';
}

export function invalidResponseError(subgraph: string, cause: Error): GatewayError {
  return new GatewayError('SUBGRAPH_INVALID_RESPONSE', 'A subgraph sent an answer that is not valid.', {
    subgraph,
    cause,
  });
}

/** For an answer outside 2xx that is no GraphQL answer. */
export function statusError(subgraph: string, status: number, cause: Error): GatewayError {
  const options = { subgraph, cause, extensions: { http: { status } } };
  return status >= 500
    ? new GatewayError('SUBGRAPH_UNREACHABLE', 'A subgraph is not available.', options)
    : new GatewayError('SUBGRAPH_ERROR', 'A subgraph refused the request.', options);
}

export function unreachableError(subgraph: string, cause: Error): GatewayError {
  return new GatewayError('SUBGRAPH_UNREACHABLE', 'A subgraph could not be reached.', { subgraph, cause });
}

export function attemptTimeoutError(subgraph: string, cause?: Error): GatewayError {
  return new GatewayError('SUBGRAPH_TIMEOUT', 'A subgraph did not answer in time.', { subgraph, cause });
}

/** Too many calls wait for their turn. */
export function overloadedError(subgraph: string): GatewayError {
  const message = 'Too many calls wait for a subgraph. Try again in a moment.';
  return new GatewayError('OVERLOADED', message, { subgraph });
}

export function deadlineExceededError(subgraph: string): GatewayError {
  return new GatewayError('DEADLINE_EXCEEDED', 'The time for this request is over.', { subgraph });
}

function codeOf(error: Error): string {
  const code: unknown = 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : '';
}

/** What undici or the socket says, in the gateway's codes. `hasHead`: status and headers had arrived. */
export function transportError(subgraph: string, error: Error, hasHead: boolean): GatewayError {
  const code = codeOf(error);
  switch (code) {
    case 'UND_ERR_CONNECT_TIMEOUT':
      return attemptTimeoutError(subgraph, error);
    case 'UND_ERR_HEADERS_OVERFLOW':
      return invalidResponseError(subgraph, error);
    case 'UND_ERR_INVALID_ARG':
    case 'UND_ERR_NOT_SUPPORTED':
      return new GatewayError('INTERNAL_SERVER_ERROR', 'The request to a subgraph could not be made.', {
        subgraph,
        cause: error,
      });
    case 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH':
      // undici says so of two lengths in the head as well as of a body that ends early.
      return hasHead ? unreachableError(subgraph, error) : invalidResponseError(subgraph, error);
  }
  // An end of the connection inside an answer is a lost connection like any other.
  if (error.name === 'HTTPParserError' && !error.message.includes('EOF')) {
    return invalidResponseError(subgraph, error);
  }
  return unreachableError(subgraph, error);
}

/** The connection went away, as an idle one does when the other side has closed it meanwhile. */
export function isLostConnection(error: Error): boolean {
  const code = codeOf(error);
  return code === 'UND_ERR_SOCKET' || code === 'ECONNRESET' || code === 'EPIPE';
}
