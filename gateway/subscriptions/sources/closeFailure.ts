import { CloseCode } from 'graphql-ws/client';
import { GatewayError } from '../../errors.ts';
import { AnswerProblem, invalidResponse, unreachable } from '../../subgraph-client/callFailure.ts';

/** Codes by which a server says that it does not want this connection: not now, and not another time. */
const refusals: ReadonlySet<number> = new Set([
  1008, // policy violation
  1011, // internal error
  CloseCode.Unauthorized,
  CloseCode.Forbidden,
  CloseCode.InternalServerError,
]);

/** Codes that mean: the two sides do not understand each other. */
const misunderstandings: ReadonlySet<number> = new Set([
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
export function closeFailure(subgraph: string, code: number): GatewayError {
  const cause = new AnswerProblem(`the subgraph closed the WebSocket with code ${code}`);
  if (refusals.has(code)) {
    return new GatewayError('SUBGRAPH_ERROR', 'A subgraph refused the request.', { subgraph, cause });
  }
  return misunderstandings.has(code) ? invalidResponse(subgraph, cause) : unreachable(subgraph, cause);
}
