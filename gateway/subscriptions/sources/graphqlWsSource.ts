import type { WebSocket } from 'ws';
import { systemTimers, type Timers } from '../../time/timers.ts';
import { refusedSubscription } from './refusedSubscription.ts';
import { SharedSocket } from './sharedSocket.ts';
import type {
  SourceEndpoint,
  SourceOptions,
  SourceReceiver,
  SourceRequest,
  SourceSubscription,
  SubscriptionSource,
} from './subscriptionSource.ts';

/** Subscribes by `graphql-transport-ws`. Subscriptions with equal endpoint, forwarded headers and connection parameters
 *  share a socket; its handshake carries the `x-request-id` and the trace of the one that opened it.
 *
 *  The payload of `connection_init` holds the connection parameters, and the forwarded headers as an object under
 *  `headers`. Subgraphs find the headers in the handshake as well. */
export function createGraphqlWsSource(options: SourceOptions): SubscriptionSource {
  return new GraphqlWsSource(options);
}

class GraphqlWsSource implements SubscriptionSource {
  readonly #options: SourceOptions;
  readonly #timers: Timers;
  readonly #shared = new Map<string, SharedSocket>();
  /** Those that are not closed yet, with a promise of it. */
  readonly #sockets = new Map<WebSocket, Promise<void>>();
  #isClosed = false;

  constructor(options: SourceOptions) {
    this.#options = options;
    this.#timers = options.timers ?? systemTimers;
  }

  subscribe(request: SourceRequest, receiver: SourceReceiver): SourceSubscription {
    let shared: SharedSocket;
    try {
      if (this.#isClosed) throw new Error('the source was closed');
      shared = this.#sharedFor(request);
    } catch (cause) {
      return refusedSubscription(request.subgraph, cause, receiver);
    }
    return shared.subscribe(request, receiver);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const shared of [...this.#shared.values()]) shared.close();
    await Promise.all(this.#sockets.values());
  }

  #sharedFor(request: SourceRequest): SharedSocket {
    const endpoint = this.#options.endpoint(request.subgraph);
    const key = sharingKey(request, endpoint);
    const known = this.#shared.get(key);
    if (known !== undefined) return known;
    const shared: SharedSocket = new SharedSocket({
      endpoint,
      presentEndpoint: () => this.#options.endpoint(request.subgraph),
      opener: request,
      timers: this.#timers,
      random: this.#options.random ?? Math.random,
      onAccepted: () => this.#options.onAccepted?.(request.subgraph),
      onSocket: (socket) => this.#watch(socket),
      onUnused: () => {
        if (this.#shared.get(key) === shared) this.#shared.delete(key);
      },
    });
    this.#shared.set(key, shared);
    return shared;
  }

  #watch(socket: WebSocket): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#sockets.set(socket, promise);
    socket.once('close', () => {
      this.#sockets.delete(socket);
      resolve();
    });
  }
}

/** Everything that may make a difference to what the subgraph sends, or to how the socket is kept. */
function sharingKey(
  { subgraph, headers, connectionParams }: SourceRequest,
  endpoint: SourceEndpoint,
): string {
  const { url, connectTimeoutMs, maxEventBytes, heartbeatMs, reconnect } = endpoint;
  const { attempts, minDelayMs, maxDelayMs } = reconnect;
  const limits = [connectTimeoutMs, maxEventBytes, heartbeatMs, attempts, minDelayMs, maxDelayMs];
  return JSON.stringify([subgraph, url, headers.key, connectionParams, limits]);
}
