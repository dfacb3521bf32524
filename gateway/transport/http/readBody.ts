import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { ClientDisconnectedError, HttpError } from '../../admission/httpError.ts';
import { clientReviverFor, createClientParser, JsonLimitError } from '../../json/exactJson.ts';
import { parseJsonInSlices } from '../../json/parseJsonInSlices.ts';
import { appendChunk, areManySmallChunks } from '../../memory/appendChunk.ts';
import { createDecompressor, decodedCodings } from '../../memory/createDecompressor.ts';
import { resolveInSlices } from '../../time/slicedTask.ts';
import { findJsonProblem } from './findJsonProblem.ts';
import { parseMediaRange } from './mediaRange.ts';

/** Whether a `Content-Type` is JSON in UTF-8. Other encodings are not accepted: a proxy that checks requests may read the
 *  same bytes differently. */
export function isJsonContentType(contentType: string | undefined): boolean {
  if (contentType === 'application/json') return true;
  const mediaType = contentType === undefined ? undefined : parseMediaRange(contentType);
  if (mediaType === undefined) return false;
  const charset = mediaType.parameters.get('charset')?.toLowerCase();
  return (
    mediaType.type === 'application' &&
    mediaType.subtype === 'json' &&
    (charset === undefined || charset === 'utf-8' || charset === 'utf8')
  );
}

/** Whether a body is a form with files, as of the GraphQL multipart request specification. */
export function isMultipartForm(contentType: string | undefined): boolean {
  return (
    contentType !== 'application/json' &&
    contentType !== undefined &&
    /^multipart\/form-data/i.test(contentType)
  );
}

/** Reads a request's body and parses it as JSON. `maxBytes` applies to the body as it arrives, and to the decompressed one.
 *  @throws {HttpError} 400, 413 or 415.
 *  @throws {ClientDisconnectedError} */
export async function readJsonBody(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  return parseJson(await readBody(request, maxBytes));
}

/** Longer texts of clients are parsed in slices of the event loop. In bytes. */
export const largeJsonBytes = 128 * 1024;

/** A number of many digits makes a part of a text slow: it takes about 16 ms then. */
const partBytes = 32 * 1024;

/** How deep a large text may nest. */
const maxLargeJsonDepth = 1_000;

/** Parses a request's body as JSON. Returns a promise for a large one.
 *  @throws {HttpError} 400 for invalid UTF-8 or JSON, with the position; also in place of the result of the promise. */
export function parseJson(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw new HttpError(400, 'The request body is not valid UTF-8.');
  const hasByteOrderMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  const json = hasByteOrderMark ? bytes.subarray(3) : bytes;
  if (json.length > largeJsonBytes) {
    return parseLargeJson(json).catch((error: unknown) => {
      throw describeJsonError(error, json.toString());
    });
  }
  const text = json.toString();
  try {
    return JSON.parse(text, clientReviverFor(text));
  } catch (error) {
    throw describeJsonError(error, text);
  }
}

/** Parses a text of a client in slices of the event loop. `bytes`: valid UTF-8 without a byte order mark.
 *  @throws {SyntaxError}
 *  @throws {JsonLimitError} */
export function parseLargeJson(bytes: Buffer): Promise<unknown> {
  const options = { maxDepth: maxLargeJsonDepth, chunkBytes: partBytes, parse: createClientParser() };
  return resolveInSlices(parseJsonInSlices(bytes, options));
}

function describeJsonError(error: unknown, text: string): HttpError {
  if (error instanceof JsonLimitError)
    return new HttpError(400, `The request body is refused: ${error.message}`);
  const problem = findJsonProblem(text);
  if (problem === undefined) return new HttpError(400, 'The request body is not valid JSON.');
  const { position, line, column, found } = problem;
  return new HttpError(
    400,
    `The request body is not valid JSON: unexpected ${found} at position ${position} (line ${line}, column ${column}).`,
  );
}

/** Reads a request's body. `maxBytes` applies to the body as it arrives, and to the decompressed one. `limit`: the
 *  configuration key of that limit, for the error. `checkChunk`: called with each chunk, also with the first one of a body
 *  that is too large; a returned error rejects the request.
 *  @throws {HttpError} 400, 413 or 415, or the error of `checkChunk`.
 *  @throws {ClientDisconnectedError} */
export function readBody(
  request: IncomingMessage,
  maxBytes: number,
  limit = 'limits.bodySize',
  checkChunk?: (chunk: Buffer) => HttpError | undefined,
): Promise<Buffer> {
  // No event follows: the client has left while its token was verified, or while middleware of an application ran.
  if (request.destroyed || request.readableEnded) return Promise.reject(new ClientDisconnectedError());
  const isDeclaredTooLarge = Number(request.headers['content-length'] ?? 0) > maxBytes;
  if (isDeclaredTooLarge && checkChunk === undefined) {
    discardBody(request);
    return Promise.reject(tooLargeError(maxBytes, limit));
  }
  return new Promise((resolve, reject) => {
    const decompressor = createDecompressor(request.headers['content-encoding'], unknownCodingError);
    const source = decompressor === undefined ? request : request.pipe(decompressor);
    const chunks: Buffer[] = [];
    let size = 0;
    let compressedSize = 0;

    /** Compressed bytes may bring no output, and would keep zlib busy as long as they arrive. */
    const countCompressed = (chunk: Buffer): void => {
      compressedSize += chunk.length;
      if (compressedSize > maxBytes) fail(tooLargeError(maxBytes, limit));
    };
    const collect = (chunk: Buffer): void => {
      size += chunk.length;
      const problem = checkChunk?.(chunk);
      const error = isDeclaredTooLarge || size > maxBytes ? tooLargeError(maxBytes, limit) : problem;
      if (error === undefined) appendChunk(chunks, chunk, size);
      else fail(error);
    };
    const finish = (): void => {
      resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size));
    };
    function fail(error: Error): void {
      source.off('data', collect);
      source.off('end', finish);
      if (decompressor !== undefined) {
        request.off('data', countCompressed);
        request.unpipe(decompressor);
        decompressor.destroy();
      }
      chunks.length = 0;
      discardBody(request);
      reject(error);
    }

    if (decompressor !== undefined) request.on('data', countCompressed);
    source.on('data', collect);
    source.on('end', finish);
    decompressor?.once('error', () => {
      fail(new HttpError(400, `The request body is not valid ${request.headers['content-encoding']}.`));
    });
    request.on('error', () => fail(new ClientDisconnectedError()));
    request.on('close', () => {
      // `complete` is always true for HTTP/2.
      if (!request.readableEnded) fail(new ClientDisconnectedError());
    });
  });
}

/** Reads and discards the body of a refused request: many clients read the response only after they have sent all of it.
 *  Closes the connection of one that sends very many small chunks: each takes as long as a large one, and nothing limits the
 *  body. */
export function discardBody(request: IncomingMessage): void {
  let [count, size] = [0, 0];
  // The listener would write 100 (Continue).
  request.removeAllListeners('newListener');
  request.on('data', (chunk: Buffer) => {
    count += 1;
    size += chunk.length;
    if (areManySmallChunks(count, size)) request.destroy();
  });
  request.resume();
}

function tooLargeError(maxBytes: number, limit: string): HttpError {
  return new HttpError(413, `The request body is larger than ${maxBytes} bytes, the maximum (${limit}).`);
}

function unknownCodingError(): HttpError {
  return new HttpError(415, 'The content-encoding of the request body must be gzip, br, zstd or deflate.', {
    headers: { 'accept-encoding': decodedCodings },
  });
}
