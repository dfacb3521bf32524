import { MessageType } from 'graphql-ws/client';
import type { WebSocket } from 'ws';
import type { GatewayError } from '../../errors.ts';
import { connectTimeoutError, invalidResponseError } from '../../subgraphs/callErrors.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import { currentEndpointOr } from './currentEndpoint.ts';
import {
  envelopeBytes,
  GraphqlWsConnection,
  type SocketRequest,
  type SubscriptionMessage,
} from './graphqlWsConnection.ts';
import { eventTooLargeProblem, readEvent } from './readEvent.ts';
import { isTransientError, ReconnectBackoff } from './reconnectBackoff.ts';
import { reportedFailure } from './reportedErrors.ts';
import { SafeReceiver } from './safeReceiver.ts';
import type {
  SourceEndpoint,
  SourceReceiver,
  SourceRequest,
  SourceSubscription,
} from './subscriptionSource.ts';

interface SharedSocketOptions {
  readonly endpoint: SourceEndpoint;
  /** The endpoint at the time of a reconnection. Throws if the subgraph no longer exists. */
  currentEndpoint(): SourceEndpoint;
  readonly request: SocketRequest;
  readonly timers: Timers;
  readonly random: () => number;
  onAccepted(): void;
  /** Called with every WebSocket that is opened, so that the owner can wait until it is closed. */
  onSocket(socket: WebSocket): void;
  /** Called when the last subscription has ended or the connection failed. This object accepts no more subscriptions. */
  onUnused(): void;
  /** Opens two sockets, each for half of the subscriptions. `undefined` if there were too many already. */
  openHalves(): readonly [SharedSocket, SharedSocket] | undefined;
  /** The subgraph has ended the connection because of the only subscription on it, which has this query. */
  onCulprit(query: string): void;
}

/** A server that crashes because of a subscription ends the connection as if the network had failed, and does so again
 *  when the subscription is sent again. After so many short connections, one subscription is suspected. */
const shortConnectionsOfOne = 3;

interface SocketSubscription {
  readonly payload: { readonly query: string; readonly variables: Record<string, unknown> };
  readonly receiver: SafeReceiver;
  /** Whether `subscribe` was sent, on this connection or an earlier one. */
  wasSubscribed: boolean;
  /** Set if the subscription began between two connection attempts. */
  cancelConnectionTimeout: CancelTimer | undefined;
  /** Another one after the subscriptions of a socket were divided. */
  owner: SharedSocket;
}

/** Subscriptions that share a WebSocket and its reconnections. The first subscription opens the socket, and it is closed
 *  when the last one ends. */
export class SharedSocket {
  readonly #options: SharedSocketOptions;
  readonly #subgraph: string;
  readonly #subscriptions = new Map<string, SocketSubscription>();
  /** Ids of paused subscriptions. While there is one, nothing is read from the socket, for any of them. */
  readonly #paused = new Set<string>();
  readonly #backoff: ReconnectBackoff;
  /** `undefined` between two connections. */
  #connection: GraphqlWsConnection | undefined;
  #acknowledgedAtMs = 0;
  /** Connections in a row that were lost soon after the acknowledgement, also by the socket that was divided. */
  #shortConnections = 0;
  #isRetired = false;
  #lastId = 0;

  constructor(options: SharedSocketOptions) {
    const { timers, random, endpoint } = options;
    this.#options = options;
    this.#subgraph = options.request.subgraph;
    this.#backoff = new ReconnectBackoff({ timers, random, limits: endpoint.reconnect });
    this.#connect(endpoint);
  }

  subscribe(request: SourceRequest, receiver: SourceReceiver): SourceSubscription {
    this.#lastId += 1;
    const id = String(this.#lastId);
    const subscription: SocketSubscription = {
      payload: { query: request.query, variables: request.variables },
      receiver: new SafeReceiver(receiver),
      wasSubscribed: false,
      cancelConnectionTimeout: undefined,
      owner: this,
    };
    this.#subscriptions.set(id, subscription);
    if (this.#isAcknowledged) {
      this.#sendSubscribe(id, subscription);
    } else if (this.#connection === undefined) {
      subscription.cancelConnectionTimeout = this.#options.timers.after(
        this.#options.endpoint.connectTimeoutMs,
        () => {
          this.#remove(id);
          subscription.receiver.error(connectTimeoutError(this.#subgraph));
        },
      );
    }
    return {
      cancel: () => {
        subscription.receiver.cancel();
        subscription.owner.#stop(id);
      },
      flowControl: {
        pause: () => subscription.owner.#pause(id),
        resume: () => subscription.owner.#resume(id),
      },
    };
  }

  /** Ends all subscriptions without notifying their receivers. */
  close(): void {
    for (const { receiver } of this.#subscriptions.values()) receiver.cancel();
    this.#removeAll();
    this.#retire(1001, 'Going away');
  }

  get #isAcknowledged(): boolean {
    return this.#connection?.isAcknowledged === true;
  }

  #pause(id: string): void {
    if (!this.#subscriptions.has(id)) return;
    this.#paused.add(id);
    // Before the acknowledgement no event can arrive.
    if (this.#isAcknowledged) this.#connection?.stopReading();
  }

  #resume(id: string): void {
    if (!this.#paused.delete(id) || this.#paused.size > 0 || !this.#isAcknowledged) return;
    this.#connection?.resumeReading();
  }

  #reconnect(): void {
    const { endpoint, currentEndpoint } = this.#options;
    this.#connect(currentEndpointOr(endpoint, currentEndpoint));
  }

  #connect(endpoint: SourceEndpoint): void {
    const { request, timers, onSocket } = this.#options;
    this.#connection = new GraphqlWsConnection({
      endpoint,
      request,
      timers,
      onSocket,
      onAcknowledged: () => this.#onAcknowledged(),
      onMessage: (message, bytes) => this.#onMessage(message, bytes),
      onLost: (error, mayBeOfOne) => this.#onConnectionLost(error, mayBeOfOne),
    });
  }

  #onAcknowledged(): void {
    this.#acknowledgedAtMs = this.#options.timers.now();
    this.#backoff.markConnected();
    this.#options.onAccepted();
    for (const [id, subscription] of this.#subscriptions) {
      this.#sendSubscribe(id, subscription);
      subscription.receiver.markSubscribed();
    }
    if (this.#paused.size > 0) this.#connection?.stopReading();
  }

  #onMessage(message: SubscriptionMessage, bytes: number): void {
    // An unknown id: the message was in flight when the subscription ended.
    const subscription = this.#subscriptions.get(message.id);
    if (subscription === undefined) return;
    switch (message.type) {
      case MessageType.Next:
        this.#onNext(message.id, subscription, message.payload, bytes);
        return;
      case MessageType.Error:
        this.#remove(message.id);
        subscription.receiver.error(this.#reportedErrorOf(message.payload));
        return;
      case MessageType.Complete:
        this.#remove(message.id);
        subscription.receiver.complete();
        return;
    }
  }

  #onNext(id: string, { receiver }: SocketSubscription, payload: unknown, bytes: number): void {
    const { maxEventBytes } = this.#options.endpoint;
    const event =
      bytes > maxEventBytes + envelopeBytes ? eventTooLargeProblem(maxEventBytes) : readEvent(payload, bytes);
    if (event instanceof Error) {
      this.#stop(id);
      receiver.error(invalidResponseError(this.#subgraph, event));
      return;
    }
    this.#backoff.reset();
    receiver.next(event);
  }

  #sendSubscribe(id: string, subscription: SocketSubscription): void {
    subscription.wasSubscribed = true;
    subscription.cancelConnectionTimeout?.();
    subscription.cancelConnectionTimeout = undefined;
    this.#connection?.send({ id, type: MessageType.Subscribe, payload: subscription.payload });
  }

  /** Ends a subscription, and tells the subgraph if it may still serve it. */
  #stop(id: string): void {
    const subscription = this.#subscriptions.get(id);
    if (subscription === undefined) return;
    if (this.#isAcknowledged && subscription.wasSubscribed)
      this.#connection?.send({ id, type: MessageType.Complete });
    this.#remove(id);
  }

  #remove(id: string): void {
    this.#subscriptions.get(id)?.cancelConnectionTimeout?.();
    this.#subscriptions.delete(id);
    this.#resume(id);
    if (this.#subscriptions.size === 0) this.#retire(1000, 'Normal Closure');
  }

  #onConnectionLost(error: GatewayError, mayBeOfOne: boolean): void {
    this.#connection = undefined;
    const isTransient = isTransientError(error);
    if (mayBeOfOne) this.#countShortConnection();
    const isCausedByOne = mayBeOfOne && (!isTransient || this.#shortConnections >= shortConnectionsOfOne);
    if (isCausedByOne && this.#divide(error)) return;
    const reconnects = isTransient && this.#backoff.schedule(() => this.#reconnect());
    if (!reconnects) {
      this.#failAll(error);
      return;
    }
    for (const [id, { receiver, wasSubscribed }] of [...this.#subscriptions]) {
      if (wasSubscribed) {
        receiver.interrupt(error);
      } else {
        this.#remove(id);
        receiver.error(error);
      }
    }
  }

  /** A connection that has lasted for the longest delay between two attempts is not short. */
  #countShortConnection(): void {
    const { timers, endpoint } = this.#options;
    const lastedMs = timers.now() - this.#acknowledgedAtMs;
    this.#shortConnections = lastedMs < endpoint.reconnect.maxDelayMs ? this.#shortConnections + 1 : 0;
  }

  /** Divides the subscriptions: the protocol does not say which one has ended the connection. Each half continues on a
   *  socket of its own. A half whose connection is ended too is divided again, until one subscription is alone. */
  #divide(error: GatewayError): boolean {
    const entries = [...this.#subscriptions];
    const [first] = entries;
    if (entries.length === 1 && first !== undefined) this.#options.onCulprit(first[1].payload.query);
    const halves = entries.length > 1 ? this.#options.openHalves() : undefined;
    if (halves === undefined) return false;
    for (const [index, [id, subscription]] of entries.entries()) {
      const owner = halves[index < entries.length / 2 ? 0 : 1];
      subscription.owner = owner;
      owner.#shortConnections = this.#shortConnections;
      owner.#subscriptions.set(id, subscription);
      if (this.#paused.has(id)) owner.#paused.add(id);
    }
    this.#removeAll();
    this.#retire(1000, 'Normal Closure');
    for (const [, { receiver }] of entries) receiver.interrupt(error);
    return true;
  }

  #failAll(error: GatewayError): void {
    const receivers = [...this.#subscriptions.values()].map(({ receiver }) => receiver);
    this.#removeAll();
    // Retired first: a receiver that subscribes again gets a new socket.
    this.#retire(1000, 'Normal Closure');
    for (const receiver of receivers) receiver.error(error);
  }

  #removeAll(): void {
    for (const { cancelConnectionTimeout } of this.#subscriptions.values()) cancelConnectionTimeout?.();
    this.#subscriptions.clear();
    this.#paused.clear();
  }

  #retire(code: number, reason: string): void {
    if (this.#isRetired) return;
    this.#isRetired = true;
    const connection = this.#connection;
    this.#connection = undefined;
    this.#backoff.stop();
    this.#options.onUnused();
    connection?.close(code, reason);
  }

  #reportedErrorOf(errors: unknown): GatewayError {
    const result = readEvent({ errors }, 0);
    return result instanceof Error
      ? invalidResponseError(this.#subgraph, result)
      : reportedFailure(this.#subgraph, result.errors ?? []);
  }
}
