import {
  type ClientRequest,
  type IncomingMessage,
  maxHeaderSize,
  request as openRequest,
  type ServerResponse,
} from 'node:http';
import { pipeline } from 'node:stream/promises';
import { endConnection, http2StreamOf } from '../http/http2Messages.ts';
import { discardBody } from '../http/readBody.ts';
import { closeIfStalled, setReadTimeout } from '../http/writeResponse.ts';
import { isWorkerHeader, workerHeaders } from './proxiedRequest.ts';

interface ProxyRequestOptions {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Path of the Unix socket that the other worker listens on. */
  readonly socketPath: string;
  /** See `setReadTimeout`. */
  readonly readTimeoutMs: number;
  /** Ends the request to the other worker and the response to the client. */
  readonly signal: AbortSignal;
  /** Whether the client's connection is closed after the response. */
  readonly isShuttingDown: () => boolean;
  /** Called with the other worker's response before its body is read. */
  readonly onResponseHead: (workerResponse: IncomingMessage) => void;
}

/** The other worker does not listen, or stopped before it responded. */
export const workerGoneCodes: ReadonlySet<unknown> = new Set([
  'ENOENT',
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
]);

/** Leaves room for the headers that a worker adds. */
export const maxProxiedHeaderSize = maxHeaderSize + 1024;

/** Streams a request to another worker and that worker's response to the client, with backpressure in both directions.
 *  Resolves to false, before anything is sent to the client, when that worker is gone.
 *  @throws when the worker does not respond for another reason or its response breaks off, and with the reason of
 *  `signal`. */
export async function proxyRequest(options: ProxyRequestOptions): Promise<boolean> {
  const { request, response, socketPath, readTimeoutMs, signal, isShuttingDown, onResponseHead } = options;
  const proxied = openRequest({
    socketPath,
    // One connection per request: a reused connection may be closed at that moment, which looks like a dead worker.
    agent: false,
    method: request.method,
    path: encodePath(request.url ?? ''),
    headers: proxiedHeaders(request),
    maxHeaderSize: maxProxiedHeaderSize,
  });
  try {
    request.pipe(proxied);
    const workerResponse = await waitForResponse(proxied, signal);
    if (workerResponse === undefined) return false;
    onResponseHead(workerResponse);
    const headers = endToEndHeaders(workerResponse.rawHeaders);
    if (isShuttingDown()) headers.push(...Object.entries(endConnection(response)).flat());
    const { statusCode = 502, statusMessage } = workerResponse;
    if (http2StreamOf(request) === undefined) response.writeHead(statusCode, statusMessage, headers);
    else response.writeHead(statusCode, headers);
    // The head of a stream must not wait for its first event.
    if (workerResponse.headers['content-length'] === undefined) response.flushHeaders();
    // The other worker may be done: what it has written waits here and between the two.
    workerResponse.on('pause', () => setReadTimeout(response, readTimeoutMs, 'drain'));
    workerResponse.once('end', () => closeIfStalled(response, readTimeoutMs));
    await pipeline(workerResponse, response, { signal });
    return true;
  } finally {
    // The response may end before the request's body does.
    request.unpipe(proxied);
    discardBody(request);
    proxied.destroy();
  }
}

function waitForResponse(proxied: ClientRequest, signal: AbortSignal): Promise<IncomingMessage | undefined> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    proxied.once('response', resolve);
    // Stays registered: an error after the response's head ends the response, and must not end the process.
    proxied.on('error', (error: NodeJS.ErrnoException) => {
      if (workerGoneCodes.has(error.code)) resolve(undefined);
      else reject(error);
    });
  });
}

/** Percent-encodes what a path over HTTP/2 may have and one over HTTP/1.1 may not. node:http reads headers as Latin-1: each
 *  character is a byte. */
function encodePath(path: string): string {
  return path.replace(/[^!-~]/g, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

function proxiedHeaders(request: IncomingMessage): string[] {
  const headers = endToEndHeaders(request.rawHeaders);
  if (isChunked(request)) headers.push('transfer-encoding', 'chunked');
  // The other worker may reject the request before its body has arrived, and must not close the connection then.
  headers.push('connection', 'keep-alive');
  headers.push(workerHeaders.clientAddress, request.socket.remoteAddress ?? '');
  return headers;
}

/** Whether the request has a body of unknown length. */
function isChunked(request: IncomingMessage): boolean {
  const { headers } = request;
  const isWithoutBody = http2StreamOf(request)?.endAfterHeaders ?? true;
  return (
    headers['transfer-encoding'] !== undefined || (!isWithoutBody && headers['content-length'] === undefined)
  );
}

/** Headers of one connection, which are not proxied. `expect` has been answered by this worker. */
const hopByHopHeaders: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'expect',
]);

/** The headers to proxy. `raw`: names and values in turn. */
function endToEndHeaders(raw: readonly string[]): string[] {
  const headers: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const [name = '', value = ''] = [raw[at], raw[at + 1]];
    if (hopByHopHeaders.has(name.toLowerCase()) || isWorkerHeader(name)) continue;
    headers.push(name, value);
  }
  return headers;
}
