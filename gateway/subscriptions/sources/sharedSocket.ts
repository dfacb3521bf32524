import {
  CloseCode,
  GRAPHQL_TRANSPORT_WS_PROTOCOL,
  MessageType,
  parseMessage,
  stringifyMessage,
} from 'graphql-ws/client';
import { type ClientOptions, type RawData, WebSocket } from 'ws';
import type { GatewayError } from '../../errors.ts';
import { isNestedDeeperThan, maxUncheckedDepth } from '../../json/isNestedDeeperThan.ts';
import {
  connectTimeoutError,
  InvalidResponseError,
  invalidResponseError,
  statusError,
  transportError,
  unreachableError,
} from '../../subgraphs/callErrors.ts';
import { pairsToObject } from '../../subgraphs/forwardedHeaders.ts';
import { signatureOf } from '../../subgraphs/requestSignature.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import { currentEndpointOr } from './currentEndpoint.ts';
import { errorForCloseCode, isCodeOfConnection } from './errorForCloseCode.ts';
import { HeartbeatMonitor, maxMissedHeartbeats } from './heartbeatMonitor.ts';
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

/** What the requests of all subscriptions on a socket have in common, and how the first one is traced. Not the request
 *  itself: the socket may last longer than its subscription, and would keep a replaced supergraph in memory. */
export type SocketRequest = Pick<
  SourceRequest,
  'subgraph' | 'headers' | 'connectionParams' | 'requestId' | 'traceHeaders'
>;

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

/** Maximum bytes of a message besides its event. */
const envelopeBytes = 256;

/** How long the closing handshake may take. */
const closeTimeoutMs = 1000;

type SocketState =
  /** The WebSocket is opening, or `connection_init` was sent. */
  | { readonly kind: 'connecting'; readonly socket: WebSocket; readonly cancelTimer: CancelTimer }
  /** The subgraph sent `connection_ack`. */
  | { readonly kind: 'acknowledged'; readonly socket: WebSocket }
  /** The connection was lost, and the next attempt is scheduled. */
  | { readonly kind: 'disconnected' }
  /** Closed for good. */
  | { readonly kind: 'retired' };

/** Subscriptions that share a WebSocket, its heartbeats and its reconnections. The first subscription opens the socket,
 *  and it is closed when the last one ends.
 *
 *  Messages are parsed and validated by graphql-ws. Its client is not used: it reconnects by itself after some closes,
 *  cannot be ended before the acknowledgement, and does not report the size of an event. */
export class SharedSocket {
  readonly #options: SharedSocketOptions;
  readonly #subgraph: string;
  readonly #subscriptions = new Map<string, SocketSubscription>();
  /** Ids of paused subscriptions. While there is one, nothing is read from the socket, for any of them. */
  readonly #paused = new Set<string>();
  readonly #backoff: ReconnectBackoff;
  readonly #heartbeatMonitor: HeartbeatMonitor;
  #state: SocketState = { kind: 'disconnected' };
  #lastId = 0;

  constructor(options: SharedSocketOptions) {
    const { timers, random, endpoint } = options;
    this.#options = options;
    this.#subgraph = options.request.subgraph;
    this.#backoff = new ReconnectBackoff({ timers, random, limits: endpoint.reconnect });
    this.#heartbeatMonitor = new HeartbeatMonitor({
      timers,
      intervalMs: endpoint.heartbeatMs,
      onMissedHeartbeats: (intervals) => this.#onMissedHeartbeats(intervals),
    });
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
    } else if (this.#state.kind !== 'connecting') {
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
    return this.#state.kind === 'acknowledged';
  }

  get #socket(): WebSocket | undefined {
    return 'socket' in this.#state ? this.#state.socket : undefined;
  }

  #pause(id: string): void {
    if (!this.#subscriptions.has(id)) return;
    this.#paused.add(id);
    // Before the acknowledgement no event can arrive.
    if (this.#isAcknowledged) this.#stopReading();
  }

  #resume(id: string): void {
    if (!this.#paused.delete(id) || this.#paused.size > 0 || !this.#isAcknowledged) return;
    this.#socket?.resume();
    this.#heartbeatMonitor.start();
  }

  #stopReading(): void {
    this.#socket?.pause();
    // Pings and pongs are not read while the socket is paused.
    this.#heartbeatMonitor.stop();
  }

  #reconnect(): void {
    const { endpoint, currentEndpoint } = this.#options;
    this.#connect(currentEndpointOr(endpoint, currentEndpoint));
  }

  #connect(endpoint: SourceEndpoint): void {
    const { request, timers } = this.#options;
    const socket = new WebSocket(webSocketUrl(endpoint.url), GRAPHQL_TRANSPORT_WS_PROTOCOL, {
      ...endpoint.tls,
      ...socketOptions(endpoint),
      headers: handshakeHeaders(request, endpoint),
    });
    const cancelTimer = timers.after(endpoint.connectTimeoutMs, () =>
      this.#onConnectionLost(connectTimeoutError(this.#subgraph)),
    );
    this.#state = { kind: 'connecting', socket, cancelTimer };
    this.#options.onSocket(socket);
    const ifCurrent =
      <Values extends unknown[]>(handle: (...values: Values) => void) =>
      (...values: Values): void => {
        if (this.#socket === socket) handle(...values);
      };
    const onClose = ifCurrent((code: number) =>
      this.#onConnectionLost(errorForCloseCode(this.#subgraph, code), !isCodeOfConnection(code)),
    );
    const onMessage = ifCurrent((data: RawData, isBinary: boolean) => this.#onMessage(data, isBinary));
    // This listener stays when the socket is no longer current: an `error` event without one would end the process.
    const onError = ifCurrent((error: Error) => this.#onConnectionLost(this.#toSocketError(error), true));
    const onPing = ifCurrent(() => this.#heartbeatMonitor.recordActivity());
    const onOpen = ifCurrent(() => this.#onOpen());
    socket.on('open', onOpen).on('message', onMessage).on('ping', onPing);
    socket.on('error', onError).on('close', onClose);
    socket.on('unexpected-response', (request, response) => {
      request.destroy();
      if (this.#socket === socket)
        this.#onConnectionLost(handshakeFailure(this.#subgraph, response.statusCode ?? 0));
    });
  }

  #onOpen(): void {
    const payload = connectionInitPayload(this.#options.request);
    this.#send({ type: MessageType.ConnectionInit, ...(payload === undefined ? {} : { payload }) });
    this.#heartbeatMonitor.start();
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    this.#heartbeatMonitor.recordActivity();
    // `ws` delivers Buffers unless `binaryType` is changed.
    const bytes = data as Buffer;
    let message: ReturnType<typeof parseMessage>;
    try {
      if (isBinary) throw new InvalidResponseError('the message is binary');
      message = parseMessage(bytes.toString('utf8'));
      // The pong has the payload of the ping.
      if (message.type === MessageType.Ping && isNestedDeeperThan(message.payload, maxUncheckedDepth))
        throw new InvalidResponseError(`a ping is nested more than ${maxUncheckedDepth} levels deep`);
    } catch (error) {
      this.#failInvalid(error instanceof Error ? error : new InvalidResponseError(String(error)));
      return;
    }
    switch (message.type) {
      case MessageType.Ping:
        // A subgraph that sends pings and reads nothing would fill the memory with pongs.
        if ((this.#socket?.bufferedAmount ?? 0) > this.#options.endpoint.maxEventBytes) return;
        this.#send({ type: MessageType.Pong, ...(message.payload ? { payload: message.payload } : {}) });
        return;
      case MessageType.Pong:
        return;
      case MessageType.ConnectionAck:
        if (this.#state.kind === 'connecting') this.#onAcknowledged(this.#state);
        else this.#failInvalid(new InvalidResponseError('the connection was acknowledged twice'));
        return;
      case MessageType.Next:
      case MessageType.Error:
      case MessageType.Complete:
        break;
      default:
        this.#failInvalid(new InvalidResponseError(`a server does not send "${message.type}"`));
        return;
    }
    if (!this.#isAcknowledged) {
      this.#failInvalid(new InvalidResponseError(`"${message.type}" before the acknowledgement`));
      return;
    }
    // An unknown id: the message was in flight when the subscription ended.
    const subscription = this.#subscriptions.get(message.id);
    if (subscription === undefined) return;
    switch (message.type) {
      case MessageType.Next:
        this.#onNext(message.id, subscription, message.payload, bytes.length);
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

  #onAcknowledged({ socket, cancelTimer }: Extract<SocketState, { kind: 'connecting' }>): void {
    cancelTimer();
    this.#state = { kind: 'acknowledged', socket };
    this.#backoff.markConnected();
    this.#options.onAccepted();
    for (const [id, subscription] of this.#subscriptions) {
      this.#sendSubscribe(id, subscription);
      subscription.receiver.markSubscribed();
    }
    if (this.#paused.size > 0) this.#stopReading();
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

  #onMissedHeartbeats(intervals: number): void {
    if (intervals < maxMissedHeartbeats) {
      this.#send({ type: MessageType.Ping });
    } else {
      const problem = new Error(`the subgraph sent no heartbeat for ${intervals} intervals`);
      this.#onConnectionLost(unreachableError(this.#subgraph, problem));
    }
  }

  #sendSubscribe(id: string, subscription: SocketSubscription): void {
    subscription.wasSubscribed = true;
    subscription.cancelConnectionTimeout?.();
    subscription.cancelConnectionTimeout = undefined;
    this.#send({ id, type: MessageType.Subscribe, payload: subscription.payload });
  }

  /** Ends a subscription, and tells the subgraph if it may still serve it. */
  #stop(id: string): void {
    const subscription = this.#subscriptions.get(id);
    if (subscription === undefined) return;
    if (this.#isAcknowledged && subscription.wasSubscribed) this.#send({ id, type: MessageType.Complete });
    this.#remove(id);
  }

  #remove(id: string): void {
    this.#subscriptions.get(id)?.cancelConnectionTimeout?.();
    this.#subscriptions.delete(id);
    this.#resume(id);
    if (this.#subscriptions.size === 0) this.#retire(1000, 'Normal Closure');
  }

  #send(message: Parameters<typeof stringifyMessage>[0]): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(stringifyMessage(message));
  }

  /** The subgraph violated the protocol. */
  #failInvalid(problem: Error): void {
    this.#socket?.close(CloseCode.BadResponse, 'Bad response');
    this.#onConnectionLost(invalidResponseError(this.#subgraph, problem), true);
  }

  /** The connection failed, or is abandoned. `mayBeOfOne`: because of one of the subscriptions, perhaps. */
  #onConnectionLost(error: GatewayError, mayBeOfOne = false): void {
    const isOfOne = mayBeOfOne && this.#isAcknowledged && !isTransientError(error);
    this.#leaveState({ kind: 'disconnected' })?.terminate();
    if (isOfOne && this.#divide(error)) return;
    const reconnects = isTransientError(error) && this.#backoff.schedule(() => this.#reconnect());
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
    if (this.#state.kind === 'retired') return;
    const socket = this.#leaveState({ kind: 'retired' });
    this.#backoff.stop();
    this.#options.onUnused();
    // A paused socket would not read the closing handshake.
    socket?.resume();
    socket?.close(code, reason);
  }

  /** Returns the WebSocket of the state that was left. */
  #leaveState(next: SocketState): WebSocket | undefined {
    const previous = this.#state;
    this.#state = next;
    this.#heartbeatMonitor.stop();
    if (previous.kind === 'connecting') previous.cancelTimer();
    return 'socket' in previous ? previous.socket : undefined;
  }

  #reportedErrorOf(errors: unknown): GatewayError {
    const result = readEvent({ errors }, 0);
    return result instanceof Error
      ? invalidResponseError(this.#subgraph, result)
      : reportedFailure(this.#subgraph, result.errors ?? []);
  }

  #toSocketError(error: Error): GatewayError {
    const code: unknown = 'code' in error ? error.code : undefined;
    if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') {
      return invalidResponseError(this.#subgraph, eventTooLargeProblem(this.#options.endpoint.maxEventBytes));
    }
    // `ws` reports invalid frames with a code, and invalid handshakes without one. HPE is Node's HTTP parser.
    const isProtocolViolation = typeof code !== 'string' || /^(WS_ERR|HPE)_/.test(code);
    return isProtocolViolation
      ? invalidResponseError(this.#subgraph, error)
      : transportError(this.#subgraph, error, this.#isAcknowledged);
  }
}

/** Without a fragment, which HTTP clients do not send, and for which `WebSocket` throws. */
function webSocketUrl(url: string): string {
  return url.replace(/^http/i, 'ws').replace(/#.*/, '');
}

function socketOptions({ maxEventBytes }: SourceEndpoint): ClientOptions & { closeTimeout: number } {
  return {
    // An event over the limit ends its own subscription. One over twice the limit ends the socket, because it is not read
    // far enough to find out its subscription.
    maxPayload: 2 * maxEventBytes + envelopeBytes,
    perMessageDeflate: false,
    followRedirects: false,
    closeTimeout: closeTimeoutMs,
  };
}

function handshakeHeaders(
  { headers, requestId, traceHeaders }: SocketRequest,
  { signing }: SourceEndpoint,
): Record<string, string> {
  return {
    ...pairsToObject(headers.pairs),
    'x-request-id': requestId,
    ...pairsToObject(traceHeaders),
    // A handshake has no body.
    ...(signing && pairsToObject(signatureOf(signing, ''))),
  };
}

/** The connection parameters, and the forwarded headers under `headers`, for servers that do not read the handshake. A
 *  connection parameter named `headers` is dropped: it could hold headers that are not on the allow-list. */
function connectionInitPayload({
  connectionParams,
  headers,
}: SocketRequest): Record<string, unknown> | undefined {
  const { headers: _, ...params } = connectionParams;
  const payload = headers.pairs.length === 0 ? params : { ...params, headers: pairsToObject(headers.pairs) };
  return Object.keys(payload).length === 0 ? undefined : payload;
}

function handshakeFailure(subgraph: string, status: number): GatewayError {
  return statusError(
    subgraph,
    status,
    new InvalidResponseError(`the WebSocket was refused with status ${status}`),
  );
}
