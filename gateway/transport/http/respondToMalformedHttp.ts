import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { HttpError } from '../../admission/httpError.ts';
import { endConnection } from './http2Messages.ts';
import type { InFlightRequests } from './inFlightRequests.ts';
import { headersTooLargeError } from './malformedHeaders.ts';
import { writeHttpError, writeRejection } from './writeResponse.ts';

/** The error of node:http for bytes that are not a valid HTTP request. */
interface HttpParserError extends Error {
  readonly code?: string;
  /** The parser's description of the problem. */
  readonly reason?: string;
}

/** Closes a connection on which the client sent bytes that are not a valid HTTP request. Responds with an error first, unless
 *  the client would take it for the response to an earlier request, or for a part of that, or the bytes belong to a request that
 *  was refused before it was read. */
export function respondToMalformedHttp(
  error: HttpParserError,
  socket: Socket,
  inFlight: Pick<InFlightRequests, 'closeAfterResponses' | 'isWriting'>,
): void {
  if (error.code === 'ERR_SSL_HTTP_REQUEST') {
    respondToMissingTls(socket);
    return;
  }
  if (socket.destroyed || error.code === 'ECONNRESET') return;
  // The client has sent something behind a request with `connection: close`. Its response may still be pending, and closes the
  // connection (RFC 9112, section 9.6).
  if (error.code === 'HPE_CLOSED_CONNECTION') return;
  // A TLS handshake that failed: the client has got an alert of TLS.
  if (error.code?.startsWith('ERR_SSL_') === true || error.code?.startsWith('ERR_TLS_') === true) {
    socket.destroy();
    return;
  }
  if (inFlight.closeAfterResponses(socket)) return;
  if (socket.writable && !inFlight.isWriting(socket) && !hasLastResponse(socket)) {
    writeHttpError(socket, httpErrorOf(error));
  }
  socket.destroySoon();
}

/** Whether no response may follow the one that was just written: its request has not arrived completely, or it ends the
 *  connection. The property has no public name; node:http itself reads it to decide whether to respond. */
function hasLastResponse(socket: Socket): boolean {
  const { _httpMessage: response } = socket as Socket & { readonly _httpMessage?: ServerResponse | null };
  return response?.headersSent === true && !(response.req.complete && response.shouldKeepAlive);
}

/** Responds to an HTTP request without TLS, on which the TLS handshake failed. */
function respondToMissingTls(tlsSocket: Socket): void {
  // Node.js has destroyed the TLS socket, and destroys the one below it when the event was handled. Until then, that one
  // accepts bytes. It has no public name: if a version of Node.js has another one, the connection closes without a response.
  const { _parent: socket } = tlsSocket as Socket & { readonly _parent?: Socket | null };
  if (socket?.writable !== true) return;
  // The client may have reset the connection.
  socket.on('error', () => undefined);
  writeHttpError(
    socket,
    new HttpError(
      400,
      'The client sent an HTTP request to an HTTPS server (listen.tls). Use https:// in the URL.',
    ),
  );
}

function httpErrorOf({ code, reason, message }: HttpParserError): HttpError {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return headersTooLargeError();
  }
  if (code === 'HPE_PAUSED_H2_UPGRADE') {
    return new HttpError(
      400,
      'The gateway accepts HTTP/2 only with TLS (listen.tls). Send the request with HTTP/1.1.',
    );
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new HttpError(408, 'The request did not arrive in time (listen.timeouts). Send it again.');
  }
  if (code === 'HPE_INVALID_EOF_STATE') {
    return new HttpError(400, 'The connection ended before the request was complete. Send it again.');
  }
  return new HttpError(400, `The request is not valid HTTP: ${reason ?? message}.`);
}

/** Responds to a request before anything else reads it, and closes its connection. */
export function rejectRequest(request: IncomingMessage, response: ServerResponse, error: HttpError): void {
  request.resume();
  writeRejection(response, error, endConnection(response));
}
