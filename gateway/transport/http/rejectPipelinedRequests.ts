import type { IncomingMessage, ServerResponse } from 'node:http';
import { HttpError } from '../../admission/httpError.ts';
import { connectionEnd, http2StreamOf } from './http2Messages.ts';
import { writeRejection } from './writeResponse.ts';

/** Maximum number of requests that one connection of HTTP/1.1 may send at once. node:http reads up to 2 MB from a connection
 *  in one turn of the event loop, which may be 20,000 requests. */
const maxRequestsAtOnce = 100;

/** So many requests in a row on one connection are not checked, so that a request on any other connection costs nothing. */
const uncheckedRequests = 20;

/** Requests in a row on `socket`. Those of earlier turns of the event loop count only until there are `uncheckedRequests`. */
let socket: object | undefined;
let count = 0;
let isResetScheduled = false;

/** Refuses a request that arrived at once with too many others on its connection, and closes the connection. Returns false
 *  for all others. */
export function rejectPipelinedRequests(request: IncomingMessage, response: ServerResponse): boolean {
  if (request.socket !== socket) {
    socket = request.socket;
    count = 1;
    return false;
  }
  count += 1;
  // HTTP/2 has a limit of its own. `httpVersion` is what the client says, in HTTP/1.1 too.
  if (count <= uncheckedRequests || http2StreamOf(request) !== undefined) return false;
  if (!isResetScheduled) {
    isResetScheduled = true;
    setImmediate(reset);
  }
  const excess = count - uncheckedRequests - maxRequestsAtOnce;
  if (excess <= 0) return false;
  request.resume();
  if (excess === 1) respond(response);
  // Otherwise, the rest of the requests would be read, too.
  if (excess === maxRequestsAtOnce) request.socket.destroy();
  return true;
}

function reset(): void {
  isResetScheduled = false;
  socket = undefined;
  count = 0;
}

function respond(response: ServerResponse): void {
  const error = new HttpError(
    503,
    `The connection has sent more than ${maxRequestsAtOnce} requests at once. Wait for responses, or use several connections.`,
    { code: 'OVERLOADED' },
  );
  writeRejection(response, error, connectionEnd(response));
}
