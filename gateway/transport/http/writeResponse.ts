import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Writable } from 'node:stream';
import type { GraphQLFormattedError } from 'graphql';
import type { HttpError } from '../../admission/httpError.ts';
import type { ResponseContent } from '../../response/executionOutcome.ts';
import type { SingleMediaType } from './negotiateFormats.ts';
import { securityHeaders } from './securityHeaders.ts';

/** A list for a header with several lines. */
export type ResponseHeaders = Record<string, string | string[]>;

/** Writes a complete response. `readTimeoutMs`: see `closeIfStalled`. */
export function writeResponse(
  response: ServerResponse,
  status: number,
  headers: ResponseHeaders,
  content: ResponseContent,
  readTimeoutMs = 0,
): void {
  if (typeof content === 'string' || Buffer.isBuffer(content)) {
    headers['content-length'] = String(Buffer.byteLength(content));
    response.writeHead(status, headers);
    response.end(content);
    closeIfStalled(response, readTimeoutMs);
    return;
  }
  headers['content-length'] = String(content.reduce((size, part) => size + part.length, 0));
  response.writeHead(status, headers);
  for (const part of content) response.write(part);
  response.end();
  closeIfStalled(response, readTimeoutMs);
}

/** Closes the connection of a client that reads nothing of the response for `readTimeoutMs`; 0 sets no timeout. After the
 *  response, node:http sets the socket's keep-alive timeout. */
export function closeIfStalled(response: ServerResponse, readTimeoutMs: number): void {
  if (readTimeoutMs > 0 && response.writableLength > 0) response.socket?.setTimeout(readTimeoutMs);
}

/** Writes a response to a request that was rejected before anything was executed. */
export function writeErrorResponse(
  response: ServerResponse,
  status: number,
  mediaType: SingleMediaType | undefined,
  headers: ResponseHeaders,
  errors: readonly GraphQLFormattedError[],
): void {
  // Also for a client that accepts no JSON: the status says what is wrong.
  headers['content-type'] = `${mediaType ?? 'application/json'}; charset=utf-8`;
  writeResponse(response, status, headers, JSON.stringify({ errors }));
}

/** Writes an error to a connection without a response object of node:http. The caller closes the connection. */
export function writeHttpError(socket: Writable, error: HttpError): void {
  const body = JSON.stringify({ errors: [error.toFormatted()] });
  const errorHeaders = Object.entries({ ...securityHeaders, ...error.headers }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  socket.write(
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status]}\r\nconnection: close\r\ncontent-type: application/json; charset=utf-8\r\n${errorHeaders.join('')}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
