import { CloseCode } from 'graphql-ws/client';
import { GatewayError } from '../../errors.ts';
import { InvalidResponseError, invalidResponseError, unreachableError } from '../../subgraphs/callErrors.ts';

/** Close codes with which a server refuses the connection permanently. 1011 (internal error) is none: WebSocket servers also
 *  send it when they stop, and when the answer to a ping is late. */
const refusalCodes: ReadonlySet<number> = new Set([
  1008, // policy violation
  CloseCode.Unauthorized,
  CloseCode.Forbidden,
  CloseCode.InternalServerError,
]);

/** Close codes for protocol violations. */
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

/** Close codes that concern the whole connection, and none of its subscriptions alone. */
const connectionCodes: ReadonlySet<number> = new Set([
  1010, // extension missing
  CloseCode.Unauthorized,
  CloseCode.Forbidden,
  CloseCode.SubprotocolNotAcceptable,
  CloseCode.TooManyInitialisationRequests,
]);

/** Whether a close with this code cannot be because of a single subscription. */
export function isCodeOfConnection(code: number): boolean {
  return connectionCodes.has(code);
}

/** The error for a WebSocket that the subgraph closed with this code. */
export function errorForCloseCode(subgraph: string, code: number): GatewayError {
  const cause = new InvalidResponseError(`the subgraph closed the WebSocket with code ${code}`);
  if (refusalCodes.has(code)) {
    return new GatewayError('SUBGRAPH_ERROR', 'A subgraph refused the request.', { subgraph, cause });
  }
  return protocolErrorCodes.has(code)
    ? invalidResponseError(subgraph, cause)
    : unreachableError(subgraph, cause);
}
