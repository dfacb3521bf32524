import { maxHeaderSize } from 'node:http';
import type { Socket } from 'node:net';
import { HttpError } from '../../admission/httpError.ts';
import { writeHttpError } from './writeResponse.ts';

/** The error of node:http for bytes that are not a valid HTTP request. */
interface HttpParserError extends Error {
  readonly code?: string;
  /** The parser's description of the problem. */
  readonly reason?: string;
}

/** Closes a connection on which the client sent bytes that are not a valid HTTP request. Responds with an error first, unless
 *  another response is being written, which the client would take the error for a part of. */
export function respondToMalformedHttp(error: HttpParserError, socket: Socket, isWriting: boolean): void {
  if (socket.destroyed || error.code === 'ECONNRESET') return;
  if (socket.writable && !isWriting) {
    writeHttpError(socket, httpErrorOf(error));
  }
  socket.destroySoon();
}

function httpErrorOf({ code, reason, message }: HttpParserError): HttpError {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new HttpError(431, `The request headers are larger than ${maxHeaderSize} bytes, the maximum.`);
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new HttpError(408, 'The request did not arrive in time (listen.timeouts). Send it again.');
  }
  return new HttpError(400, `The request is not valid HTTP: ${reason ?? message}.`);
}
