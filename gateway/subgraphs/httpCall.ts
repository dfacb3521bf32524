import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { GatewayError } from '../errors.ts';
import { appendChunk } from '../memory/appendChunk.ts';
import { BufferedResponse, type BufferedResponseHead, largeBodyBytes } from './bufferedResponse.ts';
import {
  InvalidResponseError,
  invalidResponseError,
  isExhaustedConnection,
  isLostConnection,
  statusError,
  transportError,
} from './callErrors.ts';
import { type CallHooks, InspectedResponse } from './callHooks.ts';
import { decompress } from './decompress.ts';
import { pickResponseHeaders } from './pickResponseHeaders.ts';
import type { Call, CallListener } from './policies/call.ts';
import type { RetryPolicy } from './policies/retryPolicy.ts';
import { freeMemory, maxPooledRead } from './socketMemory.ts';
import type { SubgraphRequest } from './subgraphClient.ts';
import type { CallDispatchOptions, SubgraphEndpoint, SubgraphTarget } from './subgraphPools.ts';

interface HttpCallOptions {
  readonly request: SubgraphRequest;
  readonly endpoint: SubgraphEndpoint;
  readonly target: SubgraphTarget;
  readonly headers: string[];
  /** Decides whether the request may be sent a second time. `undefined`: it always may. */
  readonly retry: RetryPolicy | undefined;
  /** See `Call.endpointUrl`. */
  readonly endpointUrl: string | undefined;
  readonly hooks: CallHooks | undefined;
}

/** The parts of the head of a response that the gateway reads. */
interface ResponseHead extends BufferedResponseHead {
  /** `undefined` for an uncompressed body. */
  readonly contentCoding: string | undefined;
  readonly retryAfter: string | undefined;
}

/** What a client may send of a body over HTTP/2 before the server has read any of it. */
const http2WindowBytes = 65_535;

const abortedByGateway = new Error('the gateway ended the call');

/** One HTTP request to a subgraph: undici's handler, which also collects the bytes of the response. After its end, the call
 *  does not keep the response in memory. */
export class HttpCall implements Call, Dispatcher.DispatchHandler {
  #receivedBytes = 0;
  #isResent = false;
  mayHaveArrived = false;
  /** The whole response has arrived. */
  isComplete = false;

  readonly #options: HttpCallOptions;
  /** Of undici, while the request is under way. */
  #dispatchOptions: CallDispatchOptions | undefined;
  #listener: CallListener | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #isDispatching = false;
  #isOnReusedSocket = false;
  #hasResponseStarted = false;
  /** `undefined` until it has arrived. */
  #head: ResponseHead | undefined;
  /** Stored for `CallHooks.afterResponse` only. */
  #headers: IncomingHttpHeaders | undefined;
  /** Of the body, as they arrive. */
  #chunks: Buffer[] | undefined;

  constructor(options: HttpCallOptions) {
    this.#options = options;
  }

  get request(): SubgraphRequest {
    return this.#options.request;
  }

  get endpointUrl(): string | undefined {
    return this.#options.endpointUrl;
  }

  get url(): string {
    const { target } = this.#options;
    return target.origin + target.path;
  }

  get status(): number | undefined {
    return this.#head?.status;
  }

  get retryAfter(): string | undefined {
    return this.#head?.retryAfter;
  }

  start(listener: CallListener): void {
    this.#listener = listener;
    const { request, target, headers, hooks } = this.#options;
    this.#dispatchOptions = {
      origin: target.origin,
      path: target.path,
      method: 'POST',
      headers,
      body: request.body,
      idempotent: isIdempotent(request),
      connection: undefined,
    };
    if (hooks?.beforeSend === undefined) this.#dispatch();
    else void this.#dispatchAfter(hooks.beforeSend);
  }

  /** Waits for the hook, as long as the attempt may take. */
  async #dispatchAfter(beforeSend: NonNullable<CallHooks['beforeSend']>): Promise<void> {
    const { headers, request } = this.#options;
    try {
      await beforeSend({ ...this.#identity(), headers, body: request.body });
    } catch (error) {
      this.#fail(error as GatewayError);
      return;
    }
    this.#dispatch();
  }

  #identity() {
    const { subgraph, requestId } = this.request;
    return { subgraph, url: this.url, requestId };
  }

  abort(): void {
    const controller = this.#controller;
    // A request that still waits for a connection stays in undici's queue. Drop its body.
    if (this.#dispatchOptions !== undefined) this.#dispatchOptions.body = null;
    this.#release();
    controller?.abort(abortedByGateway);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    const connection = this.#dispatchOptions?.connection;
    if (connection === undefined) {
      controller.abort(abortedByGateway);
      return;
    }
    this.#controller = controller;
    this.mayHaveArrived = true;
    this.#isOnReusedSocket = connection.requestsOnSocket > 0;
    connection.requestsOnSocket += 1;
  }

  /** The first byte of the response has arrived. */
  onResponseStarted(): void {
    this.#hasResponseStarted = true;
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: IncomingHttpHeaders,
  ): void {
    this.#hasResponseStarted = true;
    // 1xx is informational: the response is still to come. undici ends a connection with an unrequested 100 (`bad response`),
    // which a client should accept (RFC 9110, section 15.2). The call then fails with SUBGRAPH_UNREACHABLE.
    if (status < 200) return;
    const { endpoint, hooks, request } = this.#options;
    // Perhaps answered before all of it was sent.
    if (status >= 400 && request.body.length > http2WindowBytes)
      this.#dispatchOptions?.connection?.retireHttp2();
    const coding = headerText(headers['content-encoding'])?.trim().toLowerCase();
    this.#head = {
      status,
      contentType: headerText(headers['content-type']),
      contentCoding: coding === 'identity' || coding === '' ? undefined : coding,
      cacheControl: headerText(headers['cache-control']),
      age: headerText(headers.age),
      retryAfter: headerText(headers['retry-after']),
      clientHeaders: endpoint.respond && pickResponseHeaders(headers, endpoint.respond),
    };
    if (hooks?.afterResponse !== undefined) this.#headers = headers;
    if (Number(headers['content-length']) > endpoint.maxResponseBytes) this.#failTooLarge(status);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#listener === undefined) return;
    this.#receivedBytes += chunk.length;
    if (this.#receivedBytes > this.#options.endpoint.maxResponseBytes) {
      this.#failTooLarge(this.status ?? 0);
    } else if (this.#chunks === undefined) {
      this.#chunks = [chunk];
    } else {
      appendChunk(this.#chunks, chunk, this.#receivedBytes);
    }
  }

  onResponseEnd(): void {
    const head = this.#head;
    if (this.#listener === undefined || head === undefined) return;
    const chunks = this.#chunks ?? [];
    const [first] = chunks;
    const body =
      first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks, this.#receivedBytes);
    const finish = (result: Buffer | Error): void => {
      this.#finish(head, result);
      if (this.#receivedBytes > maxPooledRead && !this.#options.target.isEncrypted) {
        // A large body is stored as it is.
        void freeMemory(
          body.length > largeBodyBytes ? chunks.filter((chunk) => chunk !== body) : [...chunks, body],
        );
      }
    };
    // Nothing is left to abort: the connection now serves other calls.
    this.#controller = undefined;
    const { contentCoding } = head;
    if (contentCoding === undefined || body.length === 0) finish(body);
    else decompress(contentCoding, body, this.#options.endpoint.maxResponseBytes, finish);
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.#listener === undefined) return;
    const isExhausted = isExhaustedConnection(error);
    if (isExhausted) this.#dispatchOptions?.connection?.retire();
    if (isExhausted || isLostConnection(error)) {
      const isUnsent = this.#isUnsent(error);
      if (isUnsent || this.#canBeResent()) {
        if (isUnsent) this.mayHaveArrived = false;
        else this.#isResent = true;
        this.#controller = undefined;
        // In a microtask: undici is still cleaning up the lost socket.
        queueMicrotask(() => this.#dispatch());
        return;
      }
    }
    const isUnused = !this.#isOnReusedSocket && !this.#hasResponseStarted;
    const cause = isUnused ? (this.#dispatchOptions?.connection?.explain(error) ?? error) : error;
    this.#fail(transportError(this.request.subgraph, cause, this.status !== undefined));
  }

  /** Does nothing for a call that was aborted. */
  #dispatch(): void {
    const options = this.#dispatchOptions;
    if (options === undefined) return;
    this.#isDispatching = true;
    this.#options.target.pool.dispatch(options, this);
    this.#isDispatching = false;
  }

  /** Whether an idle connection was lost that the server cannot have got the whole request on: none of it was written, because
   *  undici first looks whether the connection is still open, or the system did not accept the rest. With TLS, a failed write
   *  may be that of an alert. Such a loss ends an idle connection, so that there are few for each request. */
  #isUnsent(error: Error): boolean {
    const { connection } = this.#dispatchOptions ?? {};
    if (connection === undefined || connection.requestsOnSocket === 0) return false;
    if (this.#controller === undefined) return true;
    const isWriteRefused =
      'syscall' in error && error.syscall === 'write' && !this.#options.target.isEncrypted;
    return isWriteRefused && this.#isOnReusedSocket && !this.#hasResponseStarted;
  }

  /** A server may close an idle connection at any time, perhaps while a request is on its way. Such a loss says nothing about
   *  the server's health; one on a new connection, or in the middle of a response, does. */
  #canBeResent(): boolean {
    return (
      isIdempotent(this.request) &&
      !this.#isResent &&
      this.#isOnReusedSocket &&
      !this.#hasResponseStarted &&
      (this.#options.retry?.takeResend() ?? true)
    );
  }

  #failTooLarge(status: number): void {
    const { request, endpoint } = this.#options;
    const { subgraph } = request;
    const problem = new InvalidResponseError(
      `the response is larger than ${endpoint.maxResponseBytes} bytes`,
    );
    const controller = this.#controller;
    this.#fail(
      status >= 200 && status < 300
        ? invalidResponseError(subgraph, problem)
        : statusError(subgraph, status, problem),
    );
    controller?.abort(abortedByGateway);
  }

  #finish(head: ResponseHead, body: Buffer | Error): void {
    this.isComplete = true;
    const listener = this.#listener;
    const headers = this.#headers ?? {};
    this.#release();
    const response = new BufferedResponse(this.request.subgraph, head, body, this.request.keepsDecimals);
    const afterResponse = this.#options.hooks?.afterResponse;
    listener?.onResponse(
      afterResponse === undefined
        ? response
        : new InspectedResponse(
            response,
            { ...this.#identity(), status: head.status, headers },
            afterResponse,
          ),
    );
  }

  #fail(error: GatewayError): void {
    const listener = this.#listener;
    // undici reports some errors before `dispatch` has returned: defer them.
    if (this.#isDispatching) {
      queueMicrotask(() => {
        if (this.#listener === undefined) return;
        this.#release();
        listener?.onFailure(error);
      });
      return;
    }
    this.#release();
    listener?.onFailure(error);
  }

  #release(): void {
    this.#listener = undefined;
    this.#dispatchOptions = undefined;
    this.#controller = undefined;
    this.#headers = undefined;
    this.#chunks = undefined;
  }
}

/** The request may be sent a second time if it is not known whether the first one arrived. */
function isIdempotent({ kind }: SubgraphRequest): boolean {
  return kind === 'query';
}

function headerText(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' || value === undefined ? value : value.join(', ');
}
