import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ClientDisconnectedError } from '../../admission/httpError.ts';

/** Requests that are being answered: their number, the end of each, and the signal that ends its work. */
export class InFlightRequests {
  readonly #bySocket = new WeakMap<Socket, Set<InFlightRequest>>();
  readonly #open = new Set<InFlightRequest>();

  get size(): number {
    return this.#open.size;
  }

  /** To be called once for every connection. Its requests are aborted when it closes: one listener for all,
   *  also for pipelined requests whose response has no socket yet and so would never hear of it. */
  watch(socket: Socket): void {
    const requests = new Set<InFlightRequest>();
    this.#bySocket.set(socket, requests);
    socket.once('close', () => {
      for (const request of requests) request.abort(new ClientDisconnectedError());
    });
  }

  begin(socket: Socket, response: ServerResponse): InFlightRequest {
    const sameSocket = this.#bySocket.get(socket);
    const request = new InFlightRequest(response, () => {
      this.#open.delete(request);
      sameSocket?.delete(request);
    });
    this.#open.add(request);
    sameSocket?.add(request);
    if (socket.destroyed) request.abort(new ClientDisconnectedError());
    return request;
  }

  /** Whether part of an answer has been written to the connection, and the rest is still to come. */
  isWriting(socket: Socket): boolean {
    return Array.from(this.#bySocket.get(socket) ?? []).some(({ response }) => response.headersSent);
  }

  /** Resolves when all requests that are in flight now have ended, however many begin meanwhile. */
  async waitForEnd(): Promise<void> {
    await Promise.all(Array.from(this.#open, (request) => request.waitForEnd()));
  }

  /** Ends those that would not end by themselves. */
  abortSubscriptions(reason: Error): void {
    for (const request of this.#open) if (request.isSubscription) request.abort(reason);
  }

  abortAll(reason: Error): void {
    for (const request of this.#open) request.abort(reason);
  }
}

export class InFlightRequest {
  readonly response: ServerResponse;
  /** Whether its answer goes on for as long as there are events. */
  isSubscription = false;
  readonly #controller = new AbortController();
  readonly #onEnd: () => void;
  #hasEnded = false;
  #whenEnded: PromiseWithResolvers<void> | undefined;

  constructor(response: ServerResponse, onEnd: () => void) {
    this.response = response;
    this.#onEnd = onEnd;
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    if (!this.#hasEnded) this.#controller.abort(reason);
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
