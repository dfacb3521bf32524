import { GatewayError } from '../errors.ts';
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
