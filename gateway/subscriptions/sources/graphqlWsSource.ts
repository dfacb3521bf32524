import type { WebSocket } from 'ws';
import { systemTimers, type Timers } from '../../time/timers.ts';
import { createFailedSubscription } from './createFailedSubscription.ts';
import { SharedSocket } from './sharedSocket.ts';
import type {
  SourceEndpoint,
  SourceOptions,
  SourceReceiver,
  SourceRequest,
  SourceSubscription,
  SubscriptionSource,
} from './subscriptionSource.ts';

/** Creates a source for `graphql-transport-ws`. Subscriptions with equal endpoint, forwarded headers and connection
 *  parameters share a socket, except large ones with small ones. Its handshake has the `x-request-id` and trace headers of
 *  the subscription that opened it.
 *
 *  The payload of `connection_init` holds the connection parameters, and the forwarded headers as an object under
 *  `headers`. The handshake has the forwarded headers too. */
export function createGraphqlWsSource(options: SourceOptions): SubscriptionSource {
  return new GraphqlWsSource(options);
}

class GraphqlWsSource implements SubscriptionSource {
  readonly #options: SourceOptions;
  readonly #timers: Timers;
  readonly #sharedSockets = new Map<string, SharedSocket>();
  /** Sockets that are not closed yet, with promises that resolve when they are. */
  readonly #closings = new Map<WebSocket, Promise<void>>();
  #isClosed = false;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#timers = options.timers ?? systemTimers;
  }

  subscribe(request: SourceRequest, receiver: SourceReceiver): SourceSubscription {
    let shared: SharedSocket;
    try {
      if (this.#isClosed) throw new Error('the source was closed');
      shared = this.#sharedSocketFor(request);
    } catch (cause) {
      return createFailedSubscription(request.subgraph, cause, receiver);
    }
    return shared.subscribe(request, receiver);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const shared of [...this.#sharedSockets.values()]) shared.close();
    await Promise.all(this.#closings.values());
  }

  #sharedSocketFor(request: SourceRequest): SharedSocket {
    const { subgraph, headers, connectionParams, requestId, traceHeaders } = request;
    const endpoint = this.#options.endpoint(subgraph);
    const key = sharingKey(request, endpoint);
    const known = this.#sharedSockets.get(key);
    if (known !== undefined) return known;
    const shared: SharedSocket = new SharedSocket({
      endpoint,
      currentEndpoint: () => this.#options.endpoint(subgraph),
      request: { subgraph, headers, connectionParams, requestId, traceHeaders },
      timers: this.#timers,
      random: this.#options.random ?? Math.random,
      onAccepted: () => this.#options.onAccepted?.(subgraph),
      onSocket: (socket) => this.#trackClose(socket),
      onUnused: () => {
        if (this.#sharedSockets.get(key) === shared) this.#sharedSockets.delete(key);
      },
    });
    this.#sharedSockets.set(key, shared);
    return shared;
  }

  #trackClose(socket: WebSocket): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closings.set(socket, promise);
    socket.once('close', () => {
      this.#closings.delete(socket);
      resolve();
    });
  }
}

/** A server that gets a larger message than it accepts closes the socket, which ends all subscriptions on it. 8 KiB is the
 *  smallest limit of common servers (Tomcat). Larger subscriptions share sockets with each other only. */
const maxCommonBytes = 8_000;

/** Holds everything that can change what the subgraph sends or how the socket behaves. */
function sharingKey(request: SourceRequest, endpoint: SourceEndpoint): string {
  const { subgraph, headers, connectionParams, query, variables } = request;
  const { url, connectTimeoutMs, maxEventBytes, heartbeatMs, reconnect } = endpoint;
  const { attempts, minDelayMs, maxDelayMs } = reconnect;
  const limits = [connectTimeoutMs, maxEventBytes, heartbeatMs, attempts, minDelayMs, maxDelayMs];
  const isLarge = Buffer.byteLength(JSON.stringify({ query, variables })) > maxCommonBytes;
  return JSON.stringify([subgraph, url, headers.key, connectionParams, isLarge, limits]);
}
