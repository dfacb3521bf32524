import { STATUS_CODES } from 'node:http';
import type { Writable } from 'node:stream';
import type { HttpError } from '../../admission/httpError.ts';

/** Answers on a connection that node:http has no response for. The caller ends the connection. */
export function writeHttpError(socket: Writable, refusal: HttpError): void {
  const body = JSON.stringify({ errors: [refusal.toFormatted()] });
  const own = Object.entries(refusal.headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}\r\nconnection: close\r\ncontent-type: application/json; charset=utf-8\r\n${own.join('')}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
