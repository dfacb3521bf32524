import {
  type ClientRequest,
  type IncomingMessage,
  maxHeaderSize,
  request as openRequest,
  type ServerResponse,
} from 'node:http';
import { pipeline } from 'node:stream/promises';
import { isWorkerHeader, workerHeaders } from './proxiedRequest.ts';

interface ProxyRequestOptions {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Where the other worker listens. */
  readonly socketPath: string;
  /** Ends it at both sides. */
  readonly signal: AbortSignal;
  /** Whether the client's connection is to be closed after the answer. */
  readonly isDraining: () => boolean;
  /** The head of an answer is there. */
  readonly onResponseHead: (answer: IncomingMessage) => void;
}

/** Nobody listens there, or not until there was an answer. */
const workerGoneCodes: ReadonlySet<unknown> = new Set(['ENOENT', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE']);

/** What a worker adds fits in as well. */
export const maxProxiedHeaderSize = maxHeaderSize + 1024;

/** Passes a request on to another worker, and its answer back, as they come and no faster than they are taken. Resolves
 *  to false, with nothing answered, where that worker is gone. Rejects where there is no answer for another reason, where
 *  it broke off, and with the reason of the signal. */
export async function proxyRequest(options: ProxyRequestOptions): Promise<boolean> {
  const { request, response, socketPath, signal, isDraining, onResponseHead } = options;
  const onward = openRequest({
    socketPath,
    // A connection for each: one that is kept may be closed just when it is used again, which looks like a dead worker.
    agent: false,
    method: request.method,
    path: request.url,
    headers: proxiedHeaders(request),
    maxHeaderSize: maxProxiedHeaderSize,
  });
  try {
    request.pipe(onward);
    const answer = await waitForResponse(onward, signal);
    if (answer === undefined) return false;
    onResponseHead(answer);
    const headers = endToEndHeaders(answer.rawHeaders);
    if (isDraining()) headers.push('connection', 'close');
    response.writeHead(answer.statusCode ?? 502, answer.statusMessage, headers);
    // A stream's head must not wait for its first event.
    if (answer.headers['content-length'] === undefined) response.flushHeaders();
    await pipeline(answer, response, { signal });
    return true;
  } finally {
    // The answer may be there before all of the body is: the rest is read and dropped.
    request.unpipe(onward);
    request.resume();
    onward.destroy();
  }
}

function waitForResponse(onward: ClientRequest, signal: AbortSignal): Promise<IncomingMessage | undefined> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    onward.once('response', resolve);
    // Stays: errors that come after the answer's head end the answer.
    onward.on('error', (error: NodeJS.ErrnoException) => {
      if (workerGoneCodes.has(error.code)) resolve(undefined);
      else reject(error);
    });
  });
}

function proxiedHeaders(request: IncomingMessage): string[] {
  const headers = endToEndHeaders(request.rawHeaders);
  if (request.headers['transfer-encoding'] !== undefined) headers.push('transfer-encoding', 'chunked');
  // The other worker may refuse a body before it is there, and must not close the connection for that.
  headers.push('connection', 'keep-alive');
  headers.push(workerHeaders.clientAddress, request.socket.remoteAddress ?? '');
  return headers;
}

/** What is between two ends of one connection. `expect` has been answered. */
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

/** The headers that are not of one connection only. `raw`: names and values in turn. */
function endToEndHeaders(raw: readonly string[]): string[] {
  const headers: string[] = [];
  for (let at = 0; at < raw.length; at += 2) {
    const [name = '', value = ''] = [raw[at], raw[at + 1]];
    if (hopByHopHeaders.has(name.toLowerCase()) || isWorkerHeader(name)) continue;
    headers.push(name, value);
  }
  return headers;
}
