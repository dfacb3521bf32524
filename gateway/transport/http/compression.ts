import type { IncomingHttpHeaders } from 'node:http';
import type { Transform } from 'node:stream';
import { promisify } from 'node:util';
import {
  brotliCompress,
  brotliCompressSync,
  constants,
  createBrotliCompress,
  createGzip,
  createZstdCompress,
  gzip,
  gzipSync,
  zstdCompress,
  zstdCompressSync,
} from 'node:zlib';
import type { CorsPolicy } from './cors.ts';

/** `listen.compression` of the configuration. */
export interface CompressionOptions {
  readonly enabled: boolean;
  /** Bytes of the smallest complete response that is compressed. */
  readonly minSize: number;
  readonly subscriptions: boolean;
  readonly crossOrigin: boolean;
}

/** A content coding of HTTP. Order: of two codings that a client accepts equally, the first one is used. */
const codings = ['zstd', 'br', 'gzip'] as const;
export type ContentCoding = (typeof codings)[number];

/** How the response to one request is compressed. */
export interface Compression {
  readonly coding: ContentCoding;
  /** Bytes of the smallest complete response that is compressed. */
  readonly minSize: number;
  /** Whether subscriptions are compressed. */
  readonly includesSubscriptions: boolean;
}

const neverCompressed: CompressionOptions = {
  enabled: false,
  minSize: 0,
  subscriptions: false,
  crossOrigin: false,
};

/** Decides for each request whether and how its response is compressed. */
export class CompressionPolicy {
  readonly #options: CompressionOptions;
  readonly #cors: CorsPolicy;
  readonly #hasClientCertificates: boolean;

  /** `hasClientCertificates`: clients authenticate by certificates, which browsers send for every page. */
  constructor(options: CompressionOptions | undefined, cors: CorsPolicy, hasClientCertificates = false) {
    this.#options = options ?? neverCompressed;
    this.#cors = cors;
    this.#hasClientCertificates = hasClientCertificates;
  }

  /** The `vary` of every response that caches may store. */
  get vary(): string | undefined {
    return this.#options.enabled ? 'accept-encoding' : undefined;
  }

  /** `undefined` when the response is not compressed. */
  choose(headers: IncomingHttpHeaders): Compression | undefined {
    const accepted = headers['accept-encoding'];
    if (accepted === undefined || !this.#options.enabled) return undefined;
    const negotiated = negotiateCoding(String(accepted));
    if (negotiated === undefined || this.#couldLeakSecrets(headers)) return undefined;
    return {
      coding: negotiated.coding,
      minSize: negotiated.isRequired ? 0 : this.#options.minSize,
      includesSubscriptions: this.#options.subscriptions,
    };
  }

  /** Whether the page of another origin may have sent the request with the user's credentials (BREACH): someone who chooses
   *  a part of the response, and sees its size on the network, can guess the secrets in it. */
  #couldLeakSecrets(headers: IncomingHttpHeaders): boolean {
    const hasCredentials = headers.cookie !== undefined || headers.authorization !== undefined;
    if (!hasCredentials && !this.#hasClientCertificates) return false;
    const site = headers['sec-fetch-site'];
    if (site === 'same-origin' || site === 'none') return false;
    const origin = this.#cors.classify(headers);
    if (origin === 'unknown') return site !== undefined;
    if (origin === 'listed') return !this.#options.crossOrigin;
    return origin !== 'same';
  }
}

/** The coding that an `accept-encoding` header prefers; `undefined` when it prefers none. `isRequired`: the client accepts
 *  no response without a coding. */
export function negotiateCoding(
  acceptEncoding: string,
): { readonly coding: ContentCoding; readonly isRequired: boolean } | undefined {
  const weights = new Map<string, number>();
  for (const item of acceptEncoding.toLowerCase().split(',')) {
    const [, name, weight] =
      /^\s*([\w!#$%&'*+.^`|~-]+)\s*(?:;\s*q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)\s*)?$/.exec(item) ?? [];
    if (name !== undefined) weights.set(name === 'x-gzip' ? 'gzip' : name, Number(weight ?? 1));
  }
  const others = weights.get('*');
  let best: ContentCoding | undefined;
  let bestWeight = 0;
  for (const coding of codings) {
    const weight = weights.get(coding) ?? others ?? 0;
    if (weight > bestWeight) [best, bestWeight] = [coding, weight];
  }
  const identity = weights.get('identity') ?? (others === 0 ? 0 : undefined);
  if (best === undefined || (identity ?? 0) > bestWeight) return undefined;
  return { coding: best, isRequired: identity === 0 };
}

type HeaderFields = Record<string, string | string[]>;

/** Whether a response with these headers may be compressed. */
export function isCompressible({
  'content-encoding': coding,
  'cache-control': cacheControl,
}: Readonly<HeaderFields>): boolean {
  return (coding === undefined || coding === 'none') && !/\bno-transform\b/i.test(String(cacheControl ?? ''));
}

/** Changes the headers of a response to those of the same response in a coding. The size of the body is another one. */
export function setContentCoding(headers: HeaderFields, coding: ContentCoding): void {
  delete headers['content-length'];
  headers['content-encoding'] = coding;
  headers.vary = headers.vary === undefined ? 'accept-encoding' : addToVary(String(headers.vary));
  // A strong validator promises equal bytes.
  if (headers.etag !== undefined && String(headers.etag).startsWith('"')) headers.etag = `W/${headers.etag}`;
}

function addToVary(vary: string): string {
  return /(^|,)\s*(accept-encoding|\*)\s*(,|$)/i.test(vary) ? vary : `${vary}, accept-encoding`;
}

/** Bytes up to which a body is compressed at once: this takes less time than to hand it to a thread, or at most half a
 *  millisecond. */
const maxSyncSize = 32 * 1024;

// Measured with JSON of 20 kB to 100 kB: the next level of each takes about twice the time for a tenth fewer bytes.
const brotliParams = { [constants.BROTLI_PARAM_QUALITY]: 4 };
const zstdParams = { [constants.ZSTD_c_compressionLevel]: 3 };
const gzipLevel = 3;

const inThread = {
  gzip: promisify<Buffer, object, Buffer>(gzip),
  br: promisify<Buffer, object, Buffer>(brotliCompress),
  zstd: promisify<Buffer, object, Buffer>(zstdCompress),
};

/** Compresses a complete body: at once if it is small, otherwise in a thread. */
export function compressBody(body: Buffer, coding: ContentCoding): Buffer | Promise<Buffer> {
  const isSmall = body.length <= maxSyncSize;
  switch (coding) {
    case 'gzip': {
      const options = { level: gzipLevel };
      return isSmall ? gzipSync(body, options) : inThread.gzip(body, options);
    }
    case 'br': {
      const options = { params: { ...brotliParams, [constants.BROTLI_PARAM_SIZE_HINT]: body.length } };
      return isSmall ? brotliCompressSync(body, options) : inThread.br(body, options);
    }
    case 'zstd': {
      const options = { params: zstdParams, pledgedSrcSize: body.length };
      return isSmall ? zstdCompressSync(body, options) : inThread.zstd(body, options);
    }
  }
}

/** Creates a compressor for a large body, which it compresses in a thread while the body is written. */
export function createBodyCompressor(coding: ContentCoding): Transform {
  switch (coding) {
    case 'gzip':
      return createGzip({ level: gzipLevel });
    case 'br':
      return createBrotliCompress({ params: brotliParams });
    case 'zstd':
      return createZstdCompress({ params: zstdParams });
  }
}

/** Bytes of the output buffer of each stream. */
const chunkSize = 4096;

/** Creates a compressor whose output can be decoded up to the end of each write. Its memory is bounded to about 100 kB,
 *  because very many streams may be open: small windows, and the only quality of Brotli that needs no large tables. */
export function createStreamCompressor(coding: ContentCoding): Transform {
  switch (coding) {
    case 'gzip':
      return createGzip({
        flush: constants.Z_SYNC_FLUSH,
        level: gzipLevel,
        windowBits: 12,
        memLevel: 5,
        chunkSize,
      });
    case 'br':
      return createBrotliCompress({
        flush: constants.BROTLI_OPERATION_FLUSH,
        params: { [constants.BROTLI_PARAM_QUALITY]: 1, [constants.BROTLI_PARAM_LGWIN]: 14 },
        chunkSize,
      });
    case 'zstd':
      return createZstdCompress({
        flush: constants.ZSTD_e_flush,
        params: {
          [constants.ZSTD_c_compressionLevel]: 1,
          [constants.ZSTD_c_windowLog]: 14,
          [constants.ZSTD_c_hashLog]: 12,
        },
        chunkSize,
      });
  }
}
