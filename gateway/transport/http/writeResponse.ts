import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { GraphQLFormattedError } from 'graphql';
import type { HttpError } from '../../admission/httpError.ts';
import type { ResponseContent } from '../../response/executionOutcome.ts';
import type { PayloadEncoding } from '../streams/payloadEncoding.ts';
import {
  type Compression,
  type ContentCoding,
  compressBody,
  createBodyCompressor,
  isCompressible,
  setContentCoding,
} from './compression.ts';
import { Http2Response } from './http2Messages.ts';
import type { SingleMediaType } from './negotiateFormats.ts';
import { securityHeaders } from './securityHeaders.ts';

/** A list for a header with several lines. */
export type ResponseHeaders = Record<string, string | string[]>;

/** Smaller bodies are written together with the head of the response. Joining larger ones to it costs more than a second
 *  buffer in the same system call. In bytes. */
const oneWriteSize = 16 * 1024;

/** Writes a complete response, compressed if `compression` is given and the response qualifies. Returns a promise if the
 *  response is not written at once. `readTimeoutMs`: see `closeIfStalled`. */
export function writeResponse(
  response: ServerResponse,
  status: number,
  headers: ResponseHeaders,
  content: ResponseContent,
  readTimeoutMs = 0,
  compression?: Compression,
): Promise<void> | undefined {
  const isWhole = typeof content === 'string' || Buffer.isBuffer(content);
  const size = isWhole ? Buffer.byteLength(content) : sizeOf(content);
  if (isCompressed(headers, size, compression)) {
    const parts = isWhole ? [content] : content;
    return writeCompressed(response, status, headers, parts, size, readTimeoutMs, compression.coding);
  }
  headers['content-length'] = String(size);
  response.writeHead(status, headers);
  if (isWhole) {
    // Head and body are one write if both are text. The bytes stay what they are: Latin-1 has a character for each.
    if (size < oneWriteSize && typeof content !== 'string')
      response.end(content.toString('latin1'), 'latin1');
    else response.end(content);
    closeIfStalled(response, readTimeoutMs);
  } else writeParts(response, content, readTimeoutMs);
  return undefined;
}

/** Writes a complete response in the form of a stream, without `content-length`. Otherwise like `writeResponse`. */
export function writeStreamBody(
  response: ServerResponse,
  headers: ResponseHeaders,
  parts: readonly (string | Buffer)[],
  readTimeoutMs: number,
  compression: Compression | undefined,
): Promise<void> | undefined {
  delete headers['content-length'];
  const size = compression === undefined ? 0 : sizeOf(parts);
  if (isCompressed(headers, size, compression)) {
    return writeCompressed(response, 200, headers, parts, size, readTimeoutMs, compression.coding);
  }
  response.writeHead(200, headers);
  response.cork();
  writeParts(response, parts, readTimeoutMs);
  response.uncork();
  return undefined;
}

/** Adds the headers of a response in the form of a stream. */
export function setStreamHeaders(
  headers: ResponseHeaders,
  encoding: Pick<PayloadEncoding<never>, 'contentType' | 'headers'>,
): void {
  Object.assign(headers, encoding.headers);
  headers['content-type'] = encoding.contentType;
}

function sizeOf(parts: readonly (string | Buffer)[]): number {
  let size = 0;
  for (const part of parts) size += Buffer.byteLength(part);
  return size;
}

function writeParts(
  response: ServerResponse,
  parts: readonly (string | Buffer)[],
  readTimeoutMs: number,
): void {
  const last = parts.length - 1;
  for (let index = 0; index < last; index += 1) response.write(parts[index]);
  response.end(parts[last]);
  closeIfStalled(response, readTimeoutMs);
}

function isCompressed(
  headers: ResponseHeaders,
  size: number,
  compression: Compression | undefined,
): compression is Compression {
  return compression !== undefined && size >= compression.minSize && isCompressible(headers);
}

/** Bytes above which a body is compressed part by part, as fast as the client reads it. */
const maxWholeSize = 1024 * 1024;

async function writeCompressed(
  response: ServerResponse,
  status: number,
  headers: ResponseHeaders,
  parts: readonly (string | Buffer)[],
  size: number,
  readTimeoutMs: number,
  coding: ContentCoding,
): Promise<void> {
  setContentCoding(headers, coding);
  const buffers = parts.map((part) => (Buffer.isBuffer(part) ? part : Buffer.from(part)));
  if (size <= maxWholeSize) {
    const whole = buffers.length === 1 ? (buffers[0] as Buffer) : Buffer.concat(buffers);
    const body = compressBody(whole, coding);
    const compressed = Buffer.isBuffer(body) ? body : await body;
    headers['content-length'] = String(compressed.length);
    response.writeHead(status, headers);
    response.end(compressed);
    closeIfStalled(response, readTimeoutMs);
    return;
  }
  response.writeHead(status, headers);
  setReadTimeout(response, readTimeoutMs, 'finish');
  try {
    await pipeline(buffers, createBodyCompressor(coding), response);
  } catch {
    // The client has disconnected, or reads nothing.
    response.destroy();
  }
}

/** Closes the connection of a client that reads nothing of the response for `readTimeoutMs`; 0 sets no timeout. After the
 *  last response, node:http sets the socket's keep-alive timeout. */
export function closeIfStalled(response: ServerResponse, readTimeoutMs: number): void {
  if (response.writableLength > 0) setReadTimeout(response, readTimeoutMs, 'finish');
}

/** Closes an HTTP/1.1 connection whose client reads nothing for `timeoutMs`, until the response emits `until`, or is sent; 0
 *  sets no timeout. Over HTTP/2, all responses have this timeout (`Http2Response`). */
export function setReadTimeout(response: ServerResponse, timeoutMs: number, until: 'drain' | 'finish'): void {
  if (timeoutMs === 0 || (response as unknown) instanceof Http2Response) return;
  const { socket } = response;
  if (socket === null) {
    // A pipelined response has no socket until those before it are sent.
    response.once('socket', () => setReadTimeout(response, timeoutMs, until));
    return;
  }
  // The socket of a request that a test injects (`inject` of Fastify) is a stream without timeouts.
  if (socket?.setTimeout === undefined) return;
  // The HTTP server destroys a connection whose timeout fires.
  socket.setTimeout(timeoutMs);
  // Bytes from the client would count as activity, too: an empty line now and then would keep the response in memory. Many
  // clients read a response only after they have sent their request.
  if (response.req.complete) socket.pause();
  const end = (): void => {
    response.off('drain', end).off('finish', end);
    socket.setTimeout(0);
    socket.resume();
  };
  if (until === 'drain') response.once('drain', end);
  // Before the listener of node:http, which sets the timeout of the next request: a pipelined response may take longer.
  response.prependOnceListener('finish', end);
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

/** Writes an error to a client whose request nothing else responds to. */
export function writeRejection(
  response: ServerResponse,
  error: HttpError,
  connectionHeaders: Readonly<Record<string, string>> = {},
): void {
  const headers = { 'cache-control': 'no-store', ...securityHeaders, ...connectionHeaders, ...error.headers };
  writeErrorResponse(response, error.status, undefined, headers, [error.toFormatted()]);
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

/** Refuses an upgrade, and closes the connection: not a `Socket` if the request has a body. */
export function refuseUpgrade(connection: Duplex, error: HttpError): void {
  // The client may have disconnected. An `error` event without a listener would end the process.
  connection.on('error', () => undefined);
  writeHttpError(connection, error);
  connection.end(() => connection.destroy());
}
