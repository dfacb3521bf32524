import { CloseCode } from 'graphql-ws/client';
import { GatewayError } from '../../errors.ts';
import { InvalidResponseError, invalidResponseError, unreachableError } from '../../subgraphs/callErrors.ts';

/** Codes by which a server says that it does not want this connection: not now, and not another time. */
const refusalCodes: ReadonlySet<number> = new Set([
  1008, // policy violation
  1011, // internal error
  CloseCode.Unauthorized,
  CloseCode.Forbidden,
  CloseCode.InternalServerError,
]);

/** Codes that mean: the two sides do not understand each other. */
const protocolErrorCodes: ReadonlySet<number> = new Set([
  1002, // protocol error
  1003, // unsupported data
  1007, // not UTF-8
  1009, // message too big
  1010, // extension missing
  CloseCode.BadRequest,
  CloseCode.BadResponse,
  CloseCode.SubprotocolNotAcceptable,
  CloseCode.SubscriberAlreadyExists,
  CloseCode.TooManyInitialisationRequests,
]);

/** What a WebSocket that the subgraph has closed means. */
export function errorForCloseCode(subgraph: string, code: number): GatewayError {
  const cause = new InvalidResponseError(`the subgraph closed the WebSocket with code ${code}`);
  if (refusalCodes.has(code)) {
    return new GatewayError('SUBGRAPH_ERROR', 'A subgraph refused the request.', { subgraph, cause });
  }
  return protocolErrorCodes.has(code)
    ? invalidResponseError(subgraph, cause)
    : unreachableError(subgraph, cause);
}
