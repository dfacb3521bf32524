import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { HttpError } from '../../admission/httpError.ts';
import { waitForTurn } from '../../time/eventLoopTurn.ts';
import { endConnection, http2StreamOf } from './http2Messages.ts';
import { writeRejection } from './writeResponse.ts';

/** Maximum number of requests that one connection of HTTP/1.1 may send at once. node:http reads up to 2 MB from a connection
 *  in one turn of the event loop, which may be 20,000 requests. */
const maxRequestsAtOnce = 100;

/** So many requests in a row on one connection are not checked, so that a request on any other connection costs nothing. */
const uncheckedRequests = 20;

/** Requests in a row on `connection`. Those of earlier turns of the event loop count only until there are
 *  `uncheckedRequests`. */
let connection: object | undefined;
let count = 0;
let isResetScheduled = false;

/** Takes a request that arrived at once with many others on its connection. Over HTTP/1.1, refuses one beyond
 *  `maxRequestsAtOnce`, and closes the connection. Over HTTP/2, which has limits of its own, `handle` gets it in a turn of the
 *  event loop that has time for it, unless the client has reset it by then. Returns false for all others. */
export function limitRequestsAtOnce(
  request: IncomingMessage,
  response: ServerResponse,
  handle: RequestListener,
): boolean {
  const stream = http2StreamOf(request);
  // Each stream has a `socket` of its own.
  const requestConnection = stream?.session ?? request.socket;
  if (requestConnection !== connection) {
    connection = requestConnection;
    count = 1;
    return false;
  }
  count += 1;
  if (count <= uncheckedRequests) return false;
  if (!isResetScheduled) {
    isResetScheduled = true;
    setImmediate(reset);
  }
  if (stream !== undefined) {
    const turn = waitForTurn();
    void turn?.then(() => stream.destroyed || handle(request, response));
    return turn !== undefined;
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
  connection = undefined;
  count = 0;
}

function respond(response: ServerResponse): void {
  const error = new HttpError(
    503,
    `The connection has sent more than ${maxRequestsAtOnce} requests at once. Wait for responses, or use several connections.`,
    { code: 'OVERLOADED' },
  );
  writeRejection(response, error, endConnection(response));
}
