import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { GatewayError } from '../errors.ts';
import { appendChunk } from '../memory/appendChunk.ts';
import { InvalidResponseError, invalidResponseError, statusError, transportError } from './callErrors.ts';
import { decompress } from './decompress.ts';
import { signatureHeaderOf } from './requestSignature.ts';
import { type CallDispatchOptions, type SubgraphEndpoint, SubgraphPools } from './subgraphPools.ts';

export interface ResponseHead {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** How the body of a response is read: in chunks, or as a whole of at most `maxBytes`, before and after decompression. */
export type BodyReading = { readonly kind: 'chunks' } | { readonly kind: 'whole'; readonly maxBytes: number };

/** No method is called before `open` has returned, nor after an end, a failure or an abort. */
export interface StreamingListener {
  onHead(head: ResponseHead): BodyReading;
  /** A part of the body, as received. */
  onChunk(chunk: Buffer): void;
  /** The whole body, decompressed. Replaces `onChunk` and `onEnd` if `onHead` returned `whole`. */
  onBody(body: Buffer): void;
  /** The body is complete according to HTTP. */
  onEnd(): void;
  onFailure(error: GatewayError): void;
}

interface StreamingRequest {
  readonly subgraph: string;
  /** Name, value, name, value … in lower case names. */
  readonly headers: readonly string[];
  readonly body: string;
}

type StreamingEndpoint = Pick<SubgraphEndpoint, 'url' | 'tls' | 'signing'> & {
  /** Use HTTP/2 if the server offers it over TLS. */
  readonly http2?: boolean | undefined;
  /** How long a new connection may take, in milliseconds. */
  readonly connectTimeoutMs: number;
};

export interface StreamingCall {
  /** Reads no more from the connection until `resume`. Chunks that have been read already are still delivered. */
  pause(): void;
  resume(): void;
  /** Ends the call and, over HTTP/1.1, its connection. Idempotent. */
  abort(): void;
}

/** Over HTTP/1.1 each stream occupies a connection. The limit on streams (`subscriptions.total`) is enforced elsewhere. */
const unlimitedConnections = 1_000_000;

const abortedByGateway = new Error('the gateway ended the call');

/** Sends POST requests whose responses are streams without a time limit, such as subscriptions. */
export class StreamingClient {
  readonly #pools = new SubgraphPools();

  open(endpoint: StreamingEndpoint, request: StreamingRequest, listener: StreamingListener): StreamingCall {
    const { connectTimeoutMs, url, http2 = false, tls, signing } = endpoint;
    const target = this.#pools.targetOf(
      {
        subgraph: request.subgraph,
        url,
        http2,
        tls,
        connections: unlimitedConnections,
        attemptTimeoutMs: connectTimeoutMs,
        maxResponseBytes: 0,
      },
      false,
    );
    const options: CallDispatchOptions = {
      origin: target.origin,
      path: target.path,
      method: 'POST',
      headers: [
        ...request.headers,
        ...(signing === undefined ? [] : signatureHeaderOf(signing, request.body)),
      ],
      body: request.body,
      // Always a new connection: the server may have closed an idle one, and it would not be known whether a request that was
      // lost with it had arrived.
      reset: true,
      connection: undefined,
    };
    const exchange = new StreamingExchange(request.subgraph, options, listener);
    exchange.start(() => target.pool.dispatch(options, exchange));
    return exchange;
  }

  /** Closes all connections. Open streams fail. */
  close(): Promise<void> {
    return this.#pools.destroy(new Error('the client was closed'));
  }
}

/** One request and its response: undici's handler and the caller's control in one object. */
class StreamingExchange implements StreamingCall, Dispatcher.DispatchHandler {
  readonly #subgraph: string;
  /** Of undici, with the connection that has taken the request. */
  readonly #options: Pick<CallDispatchOptions, 'connection'>;
  #listener: StreamingListener | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #isPaused = false;
  #status: number | undefined;
  #contentCoding = '';
  #bodyReading: BodyReading = { kind: 'chunks' };
  #chunks: Buffer[] = [];
  #size = 0;

  constructor(
    subgraph: string,
    options: Pick<CallDispatchOptions, 'connection'>,
    listener: StreamingListener,
  ) {
    this.#subgraph = subgraph;
    this.#options = options;
    this.#listener = listener;
  }

  start(dispatch: () => void): void {
    // In a microtask: undici reports some errors before `dispatch` has returned, and throws others.
    queueMicrotask(() => {
      if (this.#listener === undefined) return;
      try {
        dispatch();
      } catch (error) {
        this.#fail(this.#toGatewayError(error instanceof Error ? error : new Error(String(error))));
      }
    });
  }

  pause(): void {
    this.#isPaused = true;
    this.#controller?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#controller?.resume();
  }

  abort(): void {
    const controller = this.#controller;
    this.#release();
    controller?.abort(abortedByGateway);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    if (this.#listener === undefined) controller.abort(abortedByGateway);
    else this.#controller = controller;
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
  ): void {
    // 1xx is informational: the response is still to come.
    if (status < 200 || this.#listener === undefined) return;
    this.#status = status;
    const head = { status, headers: headerTexts(headers) };
    this.#contentCoding = head.headers['content-encoding']?.trim().toLowerCase() ?? '';
    this.#bodyReading = this.#listener.onHead(head);
    if (this.#isPaused) controller.pause();
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#bodyReading.kind === 'chunks') {
      this.#listener?.onChunk(chunk);
      return;
    }
    this.#size += chunk.length;
    if (this.#size > this.#bodyReading.maxBytes)
      this.#failInvalid(bodyTooLargeError(this.#bodyReading.maxBytes));
    else appendChunk(this.#chunks, chunk, this.#size);
  }

  onResponseEnd(): void {
    // Nothing is left to abort: the connection now serves other calls.
    this.#controller = undefined;
    if (this.#bodyReading.kind === 'whole') this.#finishBody(this.#bodyReading.maxBytes);
    else this.#takeListener()?.onEnd();
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    this.#fail(this.#toGatewayError(error));
  }

  #finishBody(maxBytes: number): void {
    const body = Buffer.concat(this.#chunks, this.#size);
    if (body.length === 0 || isIdentity(this.#contentCoding)) {
      this.#takeListener()?.onBody(body);
      return;
    }
    decompress(this.#contentCoding, body, maxBytes, (result) => {
      if (this.#listener === undefined) return;
      if (Buffer.isBuffer(result)) this.#takeListener()?.onBody(result);
      else this.#failInvalid(result);
    });
  }

  #failInvalid(problem: Error): void {
    const controller = this.#controller;
    const status = this.#status ?? 0;
    this.#fail(
      status >= 200 && status < 300
        ? invalidResponseError(this.#subgraph, problem)
        : statusError(this.#subgraph, status, problem),
    );
    controller?.abort(abortedByGateway);
  }

  #toGatewayError(error: Error): GatewayError {
    const hasHead = this.#status !== undefined;
    const cause = hasHead ? error : (this.#options.connection?.explain(error) ?? error);
    return transportError(this.#subgraph, cause, hasHead);
  }

  #fail(error: GatewayError): void {
    this.#takeListener()?.onFailure(error);
  }

  #takeListener(): StreamingListener | undefined {
    const listener = this.#listener;
    this.#release();
    return listener;
  }

  #release(): void {
    this.#listener = undefined;
    this.#controller = undefined;
    this.#chunks = [];
  }
}

/** Whether a body is not encoded. `none` is not a content coding of HTTP, but some servers of event streams send it. */
export function isIdentity(contentCoding: string): boolean {
  return contentCoding === '' || contentCoding === 'identity' || contentCoding === 'none';
}

function bodyTooLargeError(maxBytes: number): InvalidResponseError {
  return new InvalidResponseError(`the response is larger than ${maxBytes} bytes`);
}

function headerTexts(headers: IncomingHttpHeaders): Record<string, string | undefined> {
  const result: Record<string, string | undefined> = Object.create(null);
  for (const [name, value] of Object.entries(headers)) {
    result[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return result;
}
