import type { ServerResponse } from 'node:http';
import type { GraphQLFormattedError } from 'graphql';
import type { SingleMediaType } from './negotiate.ts';

export type AnswerHeaders = Record<string, string>;

/** Writes an answer whose whole text is known, head and body in one go. */
export function writeAnswer(
  response: ServerResponse,
  status: number,
  headers: AnswerHeaders,
  text: string | Buffer,
): void {
  headers['content-length'] = String(Buffer.byteLength(text));
  response.writeHead(status, headers);
  response.end(text);
}

/** Writes an answer that has errors only: the request was refused before anything was executed. */
export function writeErrors(
  response: ServerResponse,
  status: number,
  mediaType: SingleMediaType | undefined,
  headers: AnswerHeaders,
  errors: readonly GraphQLFormattedError[],
): void {
  // A client that takes no JSON at all gets JSON here nevertheless, with a status that says so.
  headers['content-type'] = `${mediaType ?? 'application/json'}; charset=utf-8`;
  writeAnswer(response, status, headers, JSON.stringify({ errors }));
}
