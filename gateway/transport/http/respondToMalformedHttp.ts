import { maxHeaderSize } from 'node:http';
import type { Socket } from 'node:net';
import { HttpError } from '../../admission/httpError.ts';
import { writeHttpError } from './writeHttpError.ts';

/** What node:http tells of bytes that are no HTTP request. */
interface HttpParserError extends Error {
  readonly code?: string;
  /** The parser's own words. */
  readonly reason?: string;
}

/** Ends a connection whose bytes are no HTTP request, with an answer that says why. Without one where an answer is
 *  being written: its reader would take ours for a part of it. */
export function respondToMalformedHttp(error: HttpParserError, socket: Socket, isWriting: boolean): void {
  if (socket.destroyed || error.code === 'ECONNRESET') return;
  if (socket.writable && !isWriting) {
    writeHttpError(socket, httpErrorOf(error));
  }
  socket.destroySoon();
}

function httpErrorOf({ code, reason, message }: HttpParserError): HttpError {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new HttpError(431, `The request's headers are larger than ${maxHeaderSize} bytes. Send less.`);
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new HttpError(408, 'The request did not arrive in time. Send it again.');
  }
  return new HttpError(400, `The request is no valid HTTP: ${reason ?? message}.`);
}
