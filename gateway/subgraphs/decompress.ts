import { brotliDecompress, gunzip, inflate, inflateRaw } from 'node:zlib';
import { InvalidResponseError } from './callErrors.ts';

type Done = (result: Buffer | Error) => void;

/** Decodes one content coding off the main thread. Fails as soon as the result has more than `maxBytes`, however small the
 *  body is. Never calls `done` before it returns. */
export function decompress(coding: string, body: Buffer, maxBytes: number, done: Done): void {
  const options = { maxOutputLength: maxBytes };
  const finish = (cause: Error | null, result: Buffer): void =>
    done(cause === null ? result : new InvalidResponseError(cause.message, { cause }));
  switch (coding) {
    case 'gzip':
    case 'x-gzip':
      gunzip(body, options, finish);
      return;
    case 'br':
      brotliDecompress(body, options, finish);
      return;
    case 'deflate':
      // HTTP specifies a zlib header, but some servers send a raw deflate stream.
      if (((body[0] ?? 0) & 0x0f) === 0x08) inflate(body, options, finish);
      else inflateRaw(body, options, finish);
      return;
    default:
      queueMicrotask(() => done(new InvalidResponseError(`unknown content coding: ${coding}`)));
  }
}
