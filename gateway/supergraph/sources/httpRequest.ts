import {
  Agent as HttpAgent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as requestHttp,
} from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import { pipeline } from 'node:stream/promises';
import { isLoopback } from '../../config/isLoopback.ts';
import { joinErrorMessages } from '../../errors.ts';
import { createDecompressor, decodedCodings } from '../../memory/createDecompressor.ts';
import type { CertificateContents } from '../../tls/certificateFiles.ts';
import { explainLostConnection } from '../../tls/explainTlsError.ts';

export interface FetchLimits {
  /** Maximum time for the request and its response. */
  readonly timeoutMs: number;
  /** Maximum size of the decompressed response body. */
  readonly maxBytes: number;
}

/** Limits for fetching a schema. */
export const schemaFetchLimits: FetchLimits = { timeoutMs: 10_000, maxBytes: 32 * 1024 ** 2 };

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly tls?: CertificateContents | undefined;
  /** Environment variables that name the proxy (`HTTP_PROXY`, `HTTPS_PROXY`, `NO_PROXY`). Omitted: no proxy is used. */
  readonly proxyEnv?: NodeJS.ProcessEnv | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A failure for which the server may not be responsible: no connection, no response in time, a broken response. */
export class UnavailableError extends Error {
  override readonly name = 'UnavailableError';
}

/** Sends one request over a connection of its own. It does not use the client for operations, because it needs no
 *  connection pool and no policies. Does not follow redirects. Requests to this machine use no proxy.
 *  @throws {UnavailableError} with a message for the operator.
 *  @throws {Error} for a response that is too large or not decodable. */
export async function sendHttpRequest(
  url: URL,
  { method, headers, body, tls, proxyEnv }: HttpRequest,
  signal: AbortSignal,
  { timeoutMs, maxBytes }: FetchLimits,
): Promise<HttpResponse> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
  const response = Promise.withResolvers<IncomingMessage>();
  const [send, Agent] = url.protocol === 'https:' ? [requestHttps, HttpsAgent] : [requestHttp, HttpAgent];
  const request = send(url, {
    ...tls,
    method,
    signal: limit,
    agent: new Agent({ proxyEnv: isLoopback(url.hostname) ? undefined : proxyEnv }),
    headers: { ...headers, 'accept-encoding': 'br, gzip' },
  });
  request.on('error', (error) => response.reject(explainLostConnection(error, tls)));
  request.on('response', response.resolve);
  request.end(body);
  try {
    const received = await response.promise;
    const { statusCode: status = 0, headers: receivedHeaders } = received;
    return { status, headers: receivedHeaders, body: await readResponse(received, maxBytes) };
  } catch (error) {
    request.destroy();
    if (error instanceof UnusableResponseError || signal.aborted) throw error;
    throw new UnavailableError(
      limit.aborted ? `no response within ${timeoutMs} ms` : joinErrorMessages(error),
      { cause: error },
    );
  }
}

class UnusableResponseError extends Error {}

async function readResponse(response: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  const decompressor = createDecompressor(response.headers['content-encoding'], unknownCodingError);
  const collect = async (source: AsyncIterable<Buffer>): Promise<void> => {
    for await (const chunk of source) {
      size += chunk.length;
      if (size > maxBytes) throw new UnusableResponseError(`the response is larger than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
  };
  try {
    if (decompressor === undefined) await pipeline(response, collect);
    else await pipeline(response, decompressor, collect);
  } catch (error) {
    if (isDecompressionError(error))
      throw new UnusableResponseError(`the response is not valid ${response.headers['content-encoding']}`);
    throw error;
  }
  return Buffer.concat(chunks, size);
}

function unknownCodingError(): UnusableResponseError {
  return new UnusableResponseError(`the response has a content-encoding other than ${decodedCodings}`);
}

function isDecompressionError(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' && /^(Z_|ERR__|ZSTD_)/.test(code);
}
