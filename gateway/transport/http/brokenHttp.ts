import { maxHeaderSize } from 'node:http';
import type { Socket } from 'node:net';
import { Refusal } from '../refusal.ts';
import { writeRefusal } from './writeRefusal.ts';

/** What node:http tells of bytes that are no HTTP request. */
interface HttpError extends Error {
  readonly code?: string;
  /** The parser's own words. */
  readonly reason?: string;
}

/** Ends a connection whose bytes are no HTTP request, with an answer that says why. Without one where an answer is
 *  being written: its reader would take ours for a part of it. */
export function answerBrokenHttp(error: HttpError, socket: Socket, isWriting: boolean): void {
  if (socket.destroyed || error.code === 'ECONNRESET') return;
  if (socket.writable && !isWriting) {
    writeRefusal(socket, refusalOf(error));
  }
  socket.destroySoon();
}

function refusalOf({ code, reason, message }: HttpError): Refusal {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new Refusal(431, `The request's headers are larger than ${maxHeaderSize} bytes. Send less.`);
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new Refusal(408, 'The request did not arrive in time. Send it again.');
  }
  return new Refusal(400, `The request is no valid HTTP: ${reason ?? message}.`);
}
