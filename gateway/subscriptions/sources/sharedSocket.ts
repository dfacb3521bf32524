import {
  CloseCode,
  GRAPHQL_TRANSPORT_WS_PROTOCOL,
  MessageType,
  parseMessage,
  stringifyMessage,
} from 'graphql-ws/client';
import { type ClientOptions, type RawData, WebSocket } from 'ws';
import type { GatewayError } from '../../errors.ts';
import {
  attemptTimeoutError,
  InvalidResponseError,
  invalidResponseError,
  statusError,
  transportError,
  unreachableError,
} from '../../subgraphs/callErrors.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import { currentEndpointOr } from './currentEndpoint.ts';
import { errorForCloseCode } from './errorForCloseCode.ts';
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

interface SharedSocketOptions {
  readonly endpoint: SourceEndpoint;
  /** Where it is by now. Throws where the subgraph is gone. */
  currentEndpoint(): SourceEndpoint;
  /** The one that needs the socket first: all others have its subgraph, headers and connection parameters. */
  readonly firstRequest: SourceRequest;
  readonly timers: Timers;
  readonly random: () => number;
  onAccepted(): void;
  /** Every WebSocket that is made, so that its end can be waited for. */
  onSocket(socket: WebSocket): void;
  /** Nobody is left, or it cannot be had again: the socket takes no more subscriptions. */
  onUnused(): void;
}

interface SocketSubscription {
  readonly payload: { readonly query: string; readonly variables: Record<string, unknown> };
  readonly receiver: SafeReceiver;
  /** On this connection or an earlier one. */
  wasSubscribed: boolean;
  /** For one that has come while there is no connection, nor an attempt at one. */
  cancelConnectionTimeout: CancelTimer | undefined;
}

/** What a message holds besides its event. */
const envelopeBytes = 256;

/** How long a socket may take to say goodbye, milliseconds. */
const closeTimeoutMs = 1000;

/** Subscriptions that share a WebSocket, its keep-alive and the attempts to get it back. The first subscription opens
 *  it, the last one leaving closes it.
 *
 *  The messages and their checks are the library's; its client is not used: it goes on connecting by itself after some
 *  closes, cannot be ended before the acknowledgement, and does not say how large an event was. */
export class SharedSocket {
  readonly #options: SharedSocketOptions;
  readonly #subgraph: string;
  readonly #subscriptions = new Map<string, SocketSubscription>();
  /** Subscriptions for which nothing is to be read: as there is one socket, it is for none of them. */
  readonly #paused = new Set<string>();
  readonly #backoff: ReconnectBackoff;
  readonly #heartbeatMonitor: HeartbeatMonitor;
  #socket: WebSocket | undefined;
  #isAcknowledged = false;
  #isRetired = false;
  #cancelConnectTimer: CancelTimer | undefined;
  #lastId = 0;

  constructor(options: SharedSocketOptions) {
    const { timers, random, endpoint } = options;
    this.#options = options;
    this.#subgraph = options.firstRequest.subgraph;
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
    };
    this.#subscriptions.set(id, subscription);
    if (this.#isAcknowledged) {
      this.#sendSubscribe(id, subscription);
    } else if (this.#socket === undefined) {
      subscription.cancelConnectionTimeout = this.#options.timers.after(
        this.#options.endpoint.connectTimeoutMs,
        () => {
          this.#remove(id);
          subscription.receiver.error(attemptTimeoutError(this.#subgraph));
        },
      );
    }
    return {
      cancel: () => {
        subscription.receiver.cancel();
        this.#stop(id);
      },
      flowControl: { pause: () => this.#pause(id), resume: () => this.#resume(id) },
    };
  }

  /** Ends all subscriptions; receivers are told nothing more. */
  close(): void {
    for (const { receiver } of this.#subscriptions.values()) receiver.cancel();
    this.#removeAll();
    this.#retire(1001, 'Going away');
  }

  #pause(id: string): void {
    if (!this.#subscriptions.has(id)) return;
    this.#paused.add(id);
    // Before the acknowledgement there is nothing that would have to wait.
    if (this.#isAcknowledged) this.#stopReading();
  }

  #resume(id: string): void {
    if (!this.#paused.delete(id) || this.#paused.size > 0 || !this.#isAcknowledged) return;
    this.#socket?.resume();
    this.#heartbeatMonitor.start();
  }

  #stopReading(): void {
    this.#socket?.pause();
    // Its pings are not read either.
    this.#heartbeatMonitor.stop();
  }

  #reconnect(): void {
    const { endpoint, currentEndpoint } = this.#options;
    this.#connect(currentEndpointOr(endpoint, currentEndpoint));
  }

  #connect(endpoint: SourceEndpoint): void {
    const { firstRequest, timers } = this.#options;
    const socket = new WebSocket(webSocketUrl(endpoint.url), GRAPHQL_TRANSPORT_WS_PROTOCOL, {
      ...endpoint.tls,
      ...socketOptions(endpoint),
      headers: handshakeHeaders(firstRequest),
    });
    this.#socket = socket;
    this.#options.onSocket(socket);
    this.#cancelConnectTimer = timers.after(endpoint.connectTimeoutMs, () =>
      this.#onConnectionLost(attemptTimeoutError(this.#subgraph)),
    );
    const whileCurrent =
      <Values extends unknown[]>(run: (...values: Values) => void) =>
      (...values: Values): void => {
        if (this.#socket === socket) run(...values);
      };
    socket.on(
      'open',
      whileCurrent(() => this.#onOpen()),
    );
    socket.on(
      'message',
      whileCurrent((data: RawData, isBinary: boolean) => this.#onMessage(data, isBinary)),
    );
    socket.on('unexpected-response', (request, response) => {
      request.destroy();
      if (this.#socket === socket)
        this.#onConnectionLost(handshakeFailure(this.#subgraph, response.statusCode ?? 0));
    });
    // Stays when the socket is no longer current: without a listener its errors would end the process.
    socket.on('error', (error) => {
      if (this.#socket === socket) this.#onConnectionLost(this.#toSocketError(error));
    });
    socket.on(
      'close',
      whileCurrent((code: number) => this.#onConnectionLost(errorForCloseCode(this.#subgraph, code))),
    );
    socket.on(
      'ping',
      whileCurrent(() => this.#heartbeatMonitor.recordActivity()),
    );
  }

  #onOpen(): void {
    const payload = connectionInitPayload(this.#options.firstRequest);
    this.#send({ type: MessageType.ConnectionInit, ...(payload === undefined ? {} : { payload }) });
    this.#heartbeatMonitor.start();
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    this.#heartbeatMonitor.recordActivity();
    // Always of this type, as nobody has asked `ws` for another.
    const bytes = data as Buffer;
    let message: ReturnType<typeof parseMessage>;
    try {
      if (isBinary) throw new InvalidResponseError('the message is binary');
      message = parseMessage(bytes.toString('utf8'));
    } catch (error) {
      this.#failInvalid(error instanceof Error ? error : new InvalidResponseError(String(error)));
      return;
    }
    switch (message.type) {
      case MessageType.Ping:
        this.#send({ type: MessageType.Pong, ...(message.payload ? { payload: message.payload } : {}) });
        return;
      case MessageType.Pong:
        return;
      case MessageType.ConnectionAck:
        if (this.#isAcknowledged)
          this.#failInvalid(new InvalidResponseError('the connection is acknowledged twice'));
        else this.#onAcknowledged();
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
    // Unknown: it was on its way when the subscription was ended.
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

  #onAcknowledged(): void {
    this.#isAcknowledged = true;
    this.#stopConnectTimer();
    this.#backoff.markConnected();
    this.#options.onAccepted();
    for (const [id, subscription] of [...this.#subscriptions]) {
      // Whoever has just been told may have ended others.
      if (!this.#subscriptions.has(id)) continue;
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
      this.#onConnectionLost(unreachableError(this.#subgraph, new Error('the WebSocket has gone silent')));
    }
  }

  #sendSubscribe(id: string, subscription: SocketSubscription): void {
    subscription.wasSubscribed = true;
    subscription.cancelConnectionTimeout?.();
    subscription.cancelConnectionTimeout = undefined;
    this.#send({ id, type: MessageType.Subscribe, payload: subscription.payload });
  }

  /** Ends a subscription that the subgraph may still serve. */
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

  /** The subgraph does not keep to the protocol. */
  #failInvalid(problem: Error): void {
    this.#socket?.close(CloseCode.BadResponse, 'Bad response');
    this.#onConnectionLost(invalidResponseError(this.#subgraph, problem));
  }

  /** The connection is gone, or is given up. */
  #onConnectionLost(error: GatewayError): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#isAcknowledged = false;
    this.#stopConnectTimer();
    this.#heartbeatMonitor.stop();
    socket?.terminate();
    const mayReturn = isTransientError(error) && this.#backoff.schedule(() => this.#reconnect());
    if (!mayReturn) {
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

  #failAll(error: GatewayError): void {
    const deliveries = [...this.#subscriptions.values()].map(({ receiver }) => receiver);
    this.#removeAll();
    // Those who subscribe again when they are told get a new one.
    this.#retire(1000, 'Normal Closure');
    for (const delivery of deliveries) delivery.error(error);
  }

  #removeAll(): void {
    for (const { cancelConnectionTimeout } of this.#subscriptions.values()) cancelConnectionTimeout?.();
    this.#subscriptions.clear();
    this.#paused.clear();
  }

  #retire(code: number, reason: string): void {
    if (this.#isRetired) return;
    this.#isRetired = true;
    const socket = this.#socket;
    this.#socket = undefined;
    this.#isAcknowledged = false;
    this.#stopConnectTimer();
    this.#heartbeatMonitor.stop();
    this.#backoff.stop();
    this.#options.onUnused();
    // A socket that does not read would not hear the answer.
    socket?.resume();
    socket?.close(code, reason);
  }

  #stopConnectTimer(): void {
    this.#cancelConnectTimer?.();
    this.#cancelConnectTimer = undefined;
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
    // `ws` has codes for frames that are none, and mere words for handshakes that are none; HPE is Node's HTTP parser.
    const isNonsense = typeof code !== 'string' || /^(WS_ERR|HPE)_/.test(code);
    return isNonsense
      ? invalidResponseError(this.#subgraph, error)
      : transportError(this.#subgraph, error, this.#isAcknowledged);
  }
}

function webSocketUrl(url: string): string {
  return url.replace(/^http/i, 'ws');
}

function socketOptions({ maxEventBytes }: SourceEndpoint): ClientOptions & { closeTimeout: number } {
  return {
    // An event that is too large ends its own subscription. Only one that is far too large ends the socket: nobody
    // reads whose it was.
    maxPayload: 2 * maxEventBytes + envelopeBytes,
    perMessageDeflate: false,
    followRedirects: false,
    closeTimeout: closeTimeoutMs,
  };
}

function handshakeHeaders({ headers, requestId, traceparent }: SourceRequest): Record<string, string> {
  return {
    ...pairsToObject(headers.pairs),
    'x-request-id': requestId,
    ...(traceparent === undefined ? {} : { traceparent }),
  };
}

/** The connection parameters, and the forwarded headers under `headers`, where servers that see no handshake look for
 *  them. A parameter of that name does not get through: it could hold headers that are on no allow-list. */
function connectionInitPayload({
  connectionParams,
  headers,
}: SourceRequest): Record<string, unknown> | undefined {
  const { headers: _, ...params } = connectionParams;
  const payload = headers.pairs.length === 0 ? params : { ...params, headers: pairsToObject(headers.pairs) };
  return Object.keys(payload).length === 0 ? undefined : payload;
}

function pairsToObject(pairs: readonly string[]): Record<string, string> {
  const object: Record<string, string> = {};
  for (let i = 0; i + 1 < pairs.length; i += 2) object[pairs[i] as string] = pairs[i + 1] as string;
  return object;
}

function handshakeFailure(subgraph: string, status: number): GatewayError {
  return statusError(
    subgraph,
    status,
    new InvalidResponseError(`the WebSocket was refused with status ${status}`),
  );
}
