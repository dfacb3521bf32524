import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { ClientDisconnectedError, HttpError } from '../../admission/httpError.ts';
import { findJsonProblem } from './findJsonProblem.ts';
import { parseMediaRange } from './mediaType.ts';

/** Whether the body is JSON by its `Content-Type`. UTF-8 only: in another encoding the same bytes may say
 *  something else to a proxy that checks them than to us. */
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

/** The JSON value in a request's body of at most `maxBytes`, counted after decompression and while it
 *  arrives. Throws a `Refusal` (400, 413, 415), or `ClientDisconnectedError`. */
export async function readJsonBody(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  return parseJson(await readBody(request, maxBytes));
}

/** The JSON value that these bytes are. Throws a `Refusal` (400). */
export function parseJson(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw new HttpError(400, 'The request body is not valid UTF-8.');
  const hasByteOrderMark = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  const text = bytes.toString('utf8', hasByteOrderMark ? 3 : 0);
  try {
    return JSON.parse(text);
  } catch {
    const problem = findJsonProblem(text);
    if (problem === undefined) throw new HttpError(400, 'The request body is not valid JSON.');
    const { position, line, column, found } = problem;
    throw new HttpError(
      400,
      `The request body is not valid JSON: unexpected ${found} at position ${position} (line ${line}, column ${column}).`,
    );
  }
}

/** A request's body of at most `maxBytes`, counted and refused like `readJsonBody` does it. `limit`: the option that
 *  says how many. `httpErrorOf`: asked for each part of it before it is kept, with its bytes. */
export function readBody(
  request: IncomingMessage,
  maxBytes: number,
  limit = 'limits.bodySize',
  refusalOf: (bytes: number) => HttpError | undefined = () => undefined,
): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) {
    request.resume();
    return Promise.reject(tooLarge(maxBytes, limit));
  }
  return new Promise((resolve, reject) => {
    const decompressor = createDecompressor(request.headers['content-encoding']);
    const source = decompressor === undefined ? request : request.pipe(decompressor);
    const chunks: Buffer[] = [];
    let size = 0;

    const collect = (chunk: Buffer): void => {
      size += chunk.length;
      const refusal = size > maxBytes ? tooLarge(maxBytes, limit) : refusalOf(chunk.length);
      if (refusal === undefined) chunks.push(chunk);
      else fail(refusal);
    };
    const finish = (): void => {
      resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size));
    };
    const fail = (error: Error): void => {
      source.off('data', collect);
      source.off('end', finish);
      if (decompressor !== undefined) {
        request.unpipe(decompressor);
        decompressor.destroy();
      }
      chunks.length = 0;
      // The rest is read and dropped, so that the client gets to read our answer.
      request.resume();
      reject(error);
    };

    source.on('data', collect);
    source.once('end', finish);
    decompressor?.once('error', () => {
      fail(new HttpError(400, `The request body is not valid ${request.headers['content-encoding']}.`));
    });
    request.once('error', () => fail(new ClientDisconnectedError()));
    request.once('close', () => {
      if (!request.complete) fail(new ClientDisconnectedError());
    });
  });
}

function tooLarge(maxBytes: number, limit: string): HttpError {
  return new HttpError(
    413,
    `The request body is larger than ${maxBytes} bytes, the most that this gateway takes (${limit}).`,
  );
}

function createDecompressor(encoding: string | undefined): Transform | undefined {
  switch (encoding?.trim().toLowerCase()) {
    case undefined:
    case '':
    case 'identity':
      return undefined;
    case 'gzip':
    case 'x-gzip':
      return createGunzip();
    case 'br':
      return createBrotliDecompress();
    case 'deflate':
      return createInflate();
    default:
      throw new HttpError(415, 'The request body may be compressed with gzip, br or deflate only.', {
        headers: { 'accept-encoding': 'gzip, br, deflate' },
      });
  }
}
