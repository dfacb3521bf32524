import { LRUCache } from 'lru-cache';
import type { WebSocket } from 'ws';
import { systemTimers, type Timers } from '../../time/timers.ts';
import { createFailedSubscription } from './createFailedSubscription.ts';
import { currentEndpointOr } from './currentEndpoint.ts';
import type { SocketRequest } from './graphqlWsConnection.ts';
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
 *  parameters share a socket, except large ones with small ones, and those that have ended sockets with others. The
 *  handshake has the `x-request-id` and trace headers of the subscription that opened the socket.
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
  /** Sockets that were opened for half of the subscriptions of another one. */
  #halfCount = 0;
  /** Queries whose subscriptions have ended sockets that they shared. They share sockets with each other only. */
  readonly #culprits = new LRUCache<string, true>({
    max: 100,
    maxSize: 1_000_000,
    sizeCalculation: (_, query) => query.length,
  });
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
    const endpoint = this.#options.endpoint(request.subgraph);
    const key = sharingKey(request, endpoint, this.#culprits.has(request.query));
    return this.#sharedSockets.get(key) ?? this.#open(key, request, endpoint);
  }

  #open(
    key: string,
    { subgraph, headers, connectionParams, requestId, traceHeaders }: SocketRequest,
    endpoint: SourceEndpoint,
    divided?: DivisionLimit,
  ): SharedSocket {
    const request = { subgraph, headers, connectionParams, requestId, traceHeaders };
    const currentEndpoint = (): SourceEndpoint => this.#options.endpoint(subgraph);
    const division = divided ?? new DivisionLimit(this.#timers);
    const openHalf = (): SharedSocket => {
      this.#halfCount += 1;
      const current = currentEndpointOr(endpoint, currentEndpoint);
      return this.#open(`half ${this.#halfCount}`, request, current, division);
    };
    const shared: SharedSocket = new SharedSocket({
      endpoint,
      currentEndpoint,
      request,
      timers: this.#timers,
      random: this.#options.random ?? Math.random,
      onAccepted: () => this.#options.onAccepted?.(subgraph),
      onSocket: (socket) => this.#trackClose(socket),
      onUnused: () => {
        if (this.#sharedSockets.get(key) === shared) this.#sharedSockets.delete(key);
      },
      openHalves: () =>
        endpoint.reconnect.attempts > 0 && division.allowsAnother() ? [openHalf(), openHalf()] : undefined,
      onCulprit: (query) => {
        if (divided !== undefined) this.#culprits.set(query, true);
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

/** How many times the subscriptions of a socket and of its halves are divided in a minute. Enough to find two among a
 *  hundred; a subgraph that ends all connections does not get one for each subscription. */
const maxDivisionsPerMinute = 16;

class DivisionLimit {
  readonly #timers: Timers;
  #count = 0;
  #resetAt = 0;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  allowsAnother(): boolean {
    const now = this.#timers.now();
    if (now >= this.#resetAt) {
      this.#count = 0;
      this.#resetAt = now + 60_000;
    }
    this.#count += 1;
    return this.#count <= maxDivisionsPerMinute;
  }
}

/** Holds everything that can change what the subgraph sends or how the socket behaves. */
function sharingKey(request: SourceRequest, endpoint: SourceEndpoint, isCulprit: boolean): string {
  const { subgraph, headers, connectionParams, query, variables } = request;
  const { url, connectTimeoutMs, maxEventBytes, heartbeatMs, reconnect } = endpoint;
  const { attempts, minDelayMs, maxDelayMs } = reconnect;
  const limits = [connectTimeoutMs, maxEventBytes, heartbeatMs, attempts, minDelayMs, maxDelayMs];
  const isLarge = Buffer.byteLength(JSON.stringify({ query, variables })) > maxCommonBytes;
  const culprit = isCulprit ? query : undefined;
  return JSON.stringify([subgraph, url, headers.key, connectionParams, isLarge, limits, culprit]);
}
