import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ClientDisconnectedError } from '../../admission/httpError.ts';
import { TransientSet } from '../../sharing/transientSet.ts';
import { RequestAbort } from '../../time/requestAbort.ts';

/** The requests that are being handled. Aborts a request when its connection closes, and lets the server wait for the end
 *  of all. */
export class InFlightRequests {
  /** Lists, because a Set that lives as long as a connection would keep former requests in memory (see `TransientSet`). */
  readonly #bySocket = new WeakMap<Socket, InFlightRequest[]>();
  readonly #open = new TransientSet<InFlightRequest>();

  get size(): number {
    return this.#open.size;
  }

  /** Aborts the requests of a connection when it closes. To be called for each connection, before its first request: a
   *  listener on the response would miss pipelined requests, whose responses have no socket yet. */
  watch(socket: Socket): void {
    if (this.#bySocket.has(socket)) return;
    const requests: InFlightRequest[] = [];
    this.#bySocket.set(socket, requests);
    socket.once('close', () => {
      for (const request of [...requests]) request.abort(new ClientDisconnectedError());
    });
  }

  /** Registers a request. The caller calls its `end`. */
  register(socket: Socket, response: ServerResponse): InFlightRequest {
    const sameSocket = this.#bySocket.get(socket);
    const request = new InFlightRequest(response, () => {
      this.#open.delete(request);
      sameSocket?.splice(sameSocket.indexOf(request), 1);
    });
    this.#open.add(request);
    sameSocket?.push(request);
    // An HTTP/2 stream, which ends by itself while its connection stays open.
    if (sameSocket === undefined) response.once('close', () => request.abort(new ClientDisconnectedError()));
    if (socket.destroyed) request.abort(new ClientDisconnectedError());
    return request;
  }

  /** Whether a request on the connection has not ended. */
  isBusy(socket: Socket): boolean {
    return (this.#bySocket.get(socket)?.length ?? 0) > 0;
  }

  /** Whether a response on the connection has been started and not completed. */
  isWriting(socket: Socket): boolean {
    return this.#bySocket.get(socket)?.some(({ response }) => response.headersSent) ?? false;
  }

  /** Lets the response to the last request on the connection close it. Returns false if there is no response to wait for: no
   *  request is in flight, the last one is incomplete itself, or its response has been started. */
  closeAfterResponses(socket: Socket): boolean {
    const response = this.#bySocket.get(socket)?.at(-1)?.response;
    if (response === undefined || response.headersSent || !response.req.complete) return false;
    response.shouldKeepAlive = false;
    return true;
  }

  /** Resolves when all requests that are in flight now have ended; later requests do not count. */
  async waitForEnd(): Promise<void> {
    await Promise.all(this.#open.toArray().map((request) => request.waitForEnd()));
  }

  /** Aborts subscriptions, which may run indefinitely. */
  abortSubscriptions(reason: Error): void {
    for (const request of this.#open.toArray()) if (request.isSubscription) request.abort(reason);
  }

  abortAll(reason: Error): void {
    for (const request of this.#open.toArray()) request.abort(reason);
  }
}

export class InFlightRequest {
  readonly response: ServerResponse;
  /** Set by the handler when the request turns out to be a subscription. */
  isSubscription = false;
  /** Aborted when the client disconnects or the gateway shuts down. */
  readonly signal = new RequestAbort();
  readonly #onEnd: () => void;
  #hasEnded = false;
  #whenEnded: PromiseWithResolvers<void> | undefined;

  constructor(response: ServerResponse, onEnd: () => void) {
    this.response = response;
    this.#onEnd = onEnd;
  }

  abort(reason: Error): void {
    if (this.#hasEnded || this.signal.aborted) return;
    this.signal.abort(reason);
  }

  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#onEnd();
    this.#whenEnded?.resolve();
  }

  async waitForEnd(): Promise<void> {
    if (this.#hasEnded) return;
    this.#whenEnded ??= Promise.withResolvers<void>();
    await this.#whenEnded.promise;
  }
}
