import type { ServerResponse } from 'node:http';
import type { GraphQLFormattedError } from 'graphql';
import type { AnswerContent } from '../../response/outcome.ts';
import type { SingleMediaType } from './negotiate.ts';

export type AnswerHeaders = Record<string, string>;

/** Writes an answer that is there as a whole, head and body in one go where it is in one piece. */
export function writeAnswer(
  response: ServerResponse,
  status: number,
  headers: AnswerHeaders,
  content: AnswerContent,
): void {
  if (typeof content === 'string' || Buffer.isBuffer(content)) {
    headers['content-length'] = String(Buffer.byteLength(content));
    response.writeHead(status, headers);
    response.end(content);
    return;
  }
  headers['content-length'] = String(content.reduce((size, part) => size + part.length, 0));
  response.writeHead(status, headers);
  for (const part of content) response.write(part);
  response.end();
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
