import type { Transform } from 'node:stream';
import {
  constants,
  createBrotliDecompress,
  createGunzip,
  createInflate,
  createZstdDecompress,
} from 'node:zlib';

/** The content codings that `createDecompressor` decodes. */
export const decodedCodings = 'gzip, br, zstd, deflate';

/** Creates the stream that decodes a body with this `content-encoding`; `undefined` for a body without a coding.
 *  @throws the error of `createError` for a coding that is not one of `decodedCodings`. */
export function createDecompressor(
  encoding: string | undefined,
  createError: () => Error,
): Transform | undefined {
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
    case 'zstd':
      // RFC 9659: a sender must not need more memory of the receiver.
      return createZstdDecompress({ params: { [constants.ZSTD_d_windowLogMax]: 23 } });
    case 'deflate':
      return createInflate();
    default:
      throw createError();
  }
}
