import type { ServerResponse } from 'node:http';
import type { GraphQLFormattedError } from 'graphql';
import type { ResponseContent } from '../../response/executionOutcome.ts';
import type { SingleMediaType } from './negotiateFormats.ts';

export type ResponseHeaders = Record<string, string>;

/** Writes an answer that is there as a whole, head and body in one go where it is in one piece. A client that takes
 *  none of it for `readTimeout` milliseconds loses its connection; 0 lets it wait. */
export function writeResponse(
  response: ServerResponse,
  status: number,
  headers: ResponseHeaders,
  content: ResponseContent,
  readTimeout = 0,
): void {
  if (typeof content === 'string' || Buffer.isBuffer(content)) {
    headers['content-length'] = String(Buffer.byteLength(content));
    response.writeHead(status, headers);
    response.end(content);
    closeIfStalled(response, readTimeout);
    return;
  }
  headers['content-length'] = String(content.reduce((size, part) => size + part.length, 0));
  response.writeHead(status, headers);
  for (const part of content) response.write(part);
  response.end();
  closeIfStalled(response, readTimeout);
}

/** Closes the connection of a client that takes nothing of what waits for it for so many milliseconds. When all has
 *  been taken, the server sets the socket's time anew. */
export function closeIfStalled(response: ServerResponse, readTimeout: number): void {
  if (readTimeout > 0 && response.writableLength > 0) response.socket?.setTimeout(readTimeout);
}

/** Writes an answer that has errors only: the request was refused before anything was executed. */
export function writeErrorResponse(
  response: ServerResponse,
  status: number,
  mediaType: SingleMediaType | undefined,
  headers: ResponseHeaders,
  errors: readonly GraphQLFormattedError[],
): void {
  // A client that takes no JSON at all gets JSON here nevertheless, with a status that says so.
  headers['content-type'] = `${mediaType ?? 'application/json'}; charset=utf-8`;
  writeResponse(response, status, headers, JSON.stringify({ errors }));
}
