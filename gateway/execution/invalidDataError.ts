import { GatewayError } from '../errors.ts';
import { InvalidResponseError } from '../subgraphs/callErrors.ts';

/** A GraphQL response of a subgraph has other data than the gateway requested. `problem`: for the log. */
export class InvalidDataError extends GatewayError {
  constructor(subgraph: string, message: string, problem: string) {
    super('SUBGRAPH_INVALID_RESPONSE', message, { subgraph, cause: new InvalidResponseError(problem) });
  }
}
