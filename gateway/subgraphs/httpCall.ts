import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { GatewayError } from '../errors.ts';
import { BufferedResponse } from './bufferedResponse.ts';
import {
  InvalidResponseError,
  invalidResponseError,
  isLostConnection,
  statusError,
  transportError,
} from './callErrors.ts';
import { type CallHooks, InspectedResponse } from './callHooks.ts';
import { decompress } from './decompress.ts';
import { pickResponseHeaders } from './pickResponseHeaders.ts';
import type { Call, CallListener } from './policies/call.ts';
import type { CallDispatchOptions, SubgraphTarget } from './subgraphPools.ts';

interface HttpCallRequest {
  readonly subgraph: string;
  readonly target: SubgraphTarget;
  readonly headers: string[];
  readonly body: string;
  readonly maxResponseBytes: number;
  /** Names of the response headers that are handed to the client; omitted for none. */
  readonly respond?: readonly string[] | undefined;
  /** The request may be sent a second time if it is not known whether the first one arrived. */
  readonly isIdempotent: boolean;
  /** Called before a request is sent a second time; false refuses that. Always allowed when omitted. */
  readonly takeResend?: (() => boolean) | undefined;
  readonly endpointUrl?: string | undefined;
  readonly hooks?: CallHooks | undefined;
  /** For the hooks. */
  readonly requestId: string;
}

const abortedByGateway = new Error('the gateway ended the call');

/** One HTTP request to a subgraph: undici's handler, which also collects the bytes of the response. After its end, the call
 *  keeps neither the request nor the response in memory. */
export class HttpCall implements Call, Dispatcher.DispatchHandler {
  /** The HTTP status; `undefined` until it has arrived. */
  status: number | undefined;
  /** The response header. */
  retryAfter: string | undefined;
  readonly endpointUrl: string | undefined;
  receivedBytes = 0;
  isResent = false;

  readonly #subgraph: string;
  readonly #target: SubgraphTarget;
  readonly #maxBytes: number;
  readonly #isIdempotent: boolean;
  readonly #takeResend: (() => boolean) | undefined;
  readonly #hooks: CallHooks | undefined;
  readonly #requestId: string;
  readonly #respond: readonly string[] | undefined;
  #options: CallDispatchOptions | undefined;
  #listener: CallListener | undefined;
  #controller: Dispatcher.DispatchController | undefined;
  #isDispatching = false;
  #isOnReusedSocket = false;
  #hasResponseStarted = false;
  #contentType: string | undefined;
  #contentCoding: string | undefined;
  #cacheControl: string | undefined;
  #age: string | undefined;
  /** Stored for `CallHooks.afterResponse` only. */
  #headers: IncomingHttpHeaders | undefined;
  #clientHeaders: readonly string[] | undefined;
  #firstChunk: Buffer | undefined;
  #furtherChunks: Buffer[] | undefined;

  constructor(request: HttpCallRequest) {
    this.#subgraph = request.subgraph;
    this.#target = request.target;
    this.#maxBytes = request.maxResponseBytes;
    this.#isIdempotent = request.isIdempotent;
    this.#takeResend = request.takeResend;
    this.#respond = request.respond;
    this.endpointUrl = request.endpointUrl;
    this.#hooks = request.hooks;
    this.#requestId = request.requestId;
    this.#options = {
      origin: request.target.origin,
      path: request.target.path,
      method: 'POST',
      headers: request.headers,
      body: request.body,
      idempotent: request.isIdempotent,
      connection: undefined,
    };
  }

  start(listener: CallListener): void {
    this.#listener = listener;
    if (this.#hooks?.beforeSend === undefined) this.#dispatch();
    else void this.#dispatchAfter(this.#hooks.beforeSend);
  }

  /** Waits for the hook, as long as the attempt may take. */
  async #dispatchAfter(beforeSend: NonNullable<CallHooks['beforeSend']>): Promise<void> {
    const { headers, body } = this.#options as { headers: string[]; body: string };
    try {
      await beforeSend({ ...this.#identity, headers, body });
    } catch (error) {
      this.#fail(error as GatewayError);
      return;
    }
    if (this.#listener !== undefined) this.#dispatch();
  }

  get #identity() {
    const { origin, path } = this.#target;
    return { subgraph: this.#subgraph, url: origin + path, requestId: this.#requestId };
  }

  abort(): void {
    const controller = this.#controller;
    // A request that still waits for a connection stays in undici's queue. Drop its body.
    if (this.#options !== undefined) this.#options.body = null;
    this.#release();
    controller?.abort(abortedByGateway);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    const connection = this.#options?.connection;
    if (this.#listener === undefined || connection === undefined) {
      controller.abort(abortedByGateway);
      return;
    }
    this.#controller = controller;
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
    // 1xx is informational: the response is still to come.
    if (status < 200) return;
    this.status = status;
    this.#contentType = headerText(headers['content-type']);
    this.#cacheControl = headerText(headers['cache-control']);
    this.#age = headerText(headers.age);
    this.retryAfter = headerText(headers['retry-after']);
    if (this.#hooks?.afterResponse !== undefined) this.#headers = headers;
    if (this.#respond !== undefined) this.#clientHeaders = pickResponseHeaders(headers, this.#respond);
    const coding = headerText(headers['content-encoding'])?.trim().toLowerCase();
    this.#contentCoding = coding === 'identity' || coding === '' ? undefined : coding;
    if (Number(headers['content-length']) > this.#maxBytes) this.#failTooLarge(status);
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#listener === undefined) return;
    this.receivedBytes += chunk.length;
    if (this.receivedBytes > this.#maxBytes) {
      this.#failTooLarge(this.status ?? 0);
    } else if (this.#firstChunk === undefined) {
      this.#firstChunk = chunk;
    } else if (this.#furtherChunks === undefined) {
      this.#furtherChunks = [chunk];
    } else {
      this.#furtherChunks.push(chunk);
    }
  }

  onResponseEnd(): void {
    if (this.#listener === undefined) return;
    const body = this.#takeBody();
    // Nothing is left to abort: the connection now serves other calls.
    this.#controller = undefined;
    if (this.#contentCoding === undefined || body.length === 0) this.#finish(body);
    else decompress(this.#contentCoding, body, this.#maxBytes, (result) => this.#finish(result));
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.#listener === undefined) return;
    if (this.#canBeResent(error)) {
      this.isResent = true;
      this.#controller = undefined;
      // In a microtask: undici is still cleaning up the lost socket.
      queueMicrotask(() => {
        if (this.#listener !== undefined) this.#dispatch();
      });
      return;
    }
    this.#fail(transportError(this.#subgraph, error, this.status !== undefined));
  }

  #dispatch(): void {
    const options = this.#options;
    if (options === undefined) return;
    this.#isDispatching = true;
    this.#target.pool.dispatch(options, this);
    this.#isDispatching = false;
  }

  /** A server may close an idle connection at any time, perhaps while a request is on its way. Such a loss says nothing about
   *  the server's health; one on a new connection, or in the middle of a response, does. */
  #canBeResent(error: Error): boolean {
    return (
      this.#isIdempotent &&
      !this.isResent &&
      this.#isOnReusedSocket &&
      !this.#hasResponseStarted &&
      isLostConnection(error) &&
      (this.#takeResend?.() ?? true)
    );
  }

  #failTooLarge(status: number): void {
    const problem = new InvalidResponseError(`the response is larger than ${this.#maxBytes} bytes`);
    const controller = this.#controller;
    this.#fail(
      status >= 200 && status < 300
        ? invalidResponseError(this.#subgraph, problem)
        : statusError(this.#subgraph, status, problem),
    );
    controller?.abort(abortedByGateway);
  }

  #takeBody(): Buffer {
    const first = this.#firstChunk;
    const further = this.#furtherChunks;
    this.#firstChunk = undefined;
    this.#furtherChunks = undefined;
    if (first === undefined) return Buffer.alloc(0);
    return further === undefined ? first : Buffer.concat([first, ...further], this.receivedBytes);
  }

  #finish(body: Buffer | Error): void {
    const listener = this.#listener;
    const headers = this.#headers ?? {};
    this.#release();
    const status = this.status ?? 0;
    const response = new BufferedResponse({
      subgraph: this.#subgraph,
      status,
      contentType: this.#contentType,
      cacheControl: this.#cacheControl,
      age: this.#age,
      clientHeaders: this.#clientHeaders,
      body,
    });
    const afterResponse = this.#hooks?.afterResponse;
    listener?.onResponse(
      afterResponse === undefined
        ? response
        : new InspectedResponse(response, { ...this.#identity, status, headers }, afterResponse),
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
    this.#options = undefined;
    this.#controller = undefined;
    this.#headers = undefined;
    this.#firstChunk = undefined;
    this.#furtherChunks = undefined;
  }
}

function headerText(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' || value === undefined ? value : value.join(', ');
}
