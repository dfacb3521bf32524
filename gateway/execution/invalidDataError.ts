import { GatewayError, internalServerError, isStackOverflow } from '../errors.ts';
import { InvalidResponseError } from '../subgraphs/callErrors.ts';

/** A GraphQL response of a subgraph has other data than the gateway requested. `problem`: for the log. */
export class InvalidDataError extends GatewayError {
  constructor(subgraph: string, message: string, problem: string) {
    super('SUBGRAPH_INVALID_RESPONSE', message, { subgraph, cause: new InvalidResponseError(problem) });
  }
}

/** The error for a response that was read until the stack overflowed: functions that walk through a response recurse as deep as
 *  the response is nested. */
export function nestedTooDeepError(subgraph: string): InvalidDataError {
  return new InvalidDataError(
    subgraph,
    'A subgraph returned an invalid response.',
    "the response's objects or lists are nested too deep",
  );
}

/** The error of a fetch that threw: the request cannot be made as the client sent it, such as with a value that no header can
 *  have; the response is nested too deep; or the gateway has a fault. */
export function toFetchError(cause: unknown, subgraph: string): GatewayError {
  if (cause instanceof GatewayError) return cause;
  return isStackOverflow(cause) ? nestedTooDeepError(subgraph) : internalServerError(cause);
}
