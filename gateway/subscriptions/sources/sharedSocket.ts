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
  AnswerProblem,
  attemptTimedOut,
  invalidResponse,
  statusFailure,
  transportFailure,
  unreachable,
} from '../../subgraph-client/callFailure.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import { closeFailure } from './closeFailure.ts';
import { Delivery } from './delivery.ts';
import { presentOr } from './presentEndpoint.ts';
import { eventTooLarge, readEvent } from './readEvent.ts';
import { isPassing, Reconnection } from './reconnection.ts';
import { reportedFailure } from './reportedErrors.ts';
import { SilenceWatch, toleratedSilence } from './silenceWatch.ts';
import type {
  SourceEndpoint,
  SourceReceiver,
  SourceRequest,
  SourceSubscription,
} from './subscriptionSource.ts';

export interface SharedSocketOptions {
  readonly endpoint: SourceEndpoint;
  /** Where it is by now. Throws where the subgraph is gone. */
  presentEndpoint(): SourceEndpoint;
  /** The one that needs the socket first: all others have its subgraph, headers and connection parameters. */
  readonly opener: SourceRequest;
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
  readonly delivery: Delivery;
  /** On this connection or an earlier one. */
  wasSubscribed: boolean;
  /** For one that has come while there is no connection, nor an attempt at one. */
  cancelWait: CancelTimer | undefined;
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
  readonly #reconnection: Reconnection;
  readonly #watch: SilenceWatch;
  #socket: WebSocket | undefined;
  #isAcknowledged = false;
  #isUnused = false;
  #cancelConnectTimer: CancelTimer | undefined;
  #lastId = 0;

  constructor(options: SharedSocketOptions) {
    const { timers, random, endpoint } = options;
    this.#options = options;
    this.#subgraph = options.opener.subgraph;
    this.#reconnection = new Reconnection({ timers, random, limits: endpoint.reconnect });
    this.#watch = new SilenceWatch({
      timers,
      intervalMs: endpoint.heartbeatMs,
      onSilence: (intervals) => this.#onSilence(intervals),
    });
    this.#connect(endpoint);
  }

  subscribe(request: SourceRequest, receiver: SourceReceiver): SourceSubscription {
    this.#lastId += 1;
    const id = String(this.#lastId);
    const subscription: SocketSubscription = {
      payload: { query: request.query, variables: request.variables },
      delivery: new Delivery(receiver),
      wasSubscribed: false,
      cancelWait: undefined,
    };
    this.#subscriptions.set(id, subscription);
    if (this.#isAcknowledged) {
      this.#sendSubscribe(id, subscription);
    } else if (this.#socket === undefined) {
      subscription.cancelWait = this.#options.timers.after(this.#options.endpoint.connectTimeoutMs, () => {
        this.#remove(id);
        subscription.delivery.error(attemptTimedOut(this.#subgraph));
      });
    }
    return {
      cancel: () => {
        subscription.delivery.cancel();
        this.#stop(id);
      },
      flow: { pause: () => this.#pause(id), resume: () => this.#resume(id) },
    };
  }

  /** Ends all subscriptions; receivers are told nothing more. */
  close(): void {
    for (const { delivery } of this.#subscriptions.values()) delivery.cancel();
    this.#forgetAll();
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
    this.#watch.start();
  }

  #stopReading(): void {
    this.#socket?.pause();
    // Its pings are not read either.
    this.#watch.stop();
  }

  #connectAgain(): void {
    const { endpoint, presentEndpoint } = this.#options;
    this.#connect(presentOr(endpoint, presentEndpoint));
  }

  #connect(endpoint: SourceEndpoint): void {
    const { opener, timers } = this.#options;
    const socket = new WebSocket(webSocketUrl(endpoint.url), GRAPHQL_TRANSPORT_WS_PROTOCOL, {
      ...endpoint.tls,
      ...socketLimits(endpoint),
      headers: handshakeHeaders(opener),
    });
    this.#socket = socket;
    this.#options.onSocket(socket);
    this.#cancelConnectTimer = timers.after(endpoint.connectTimeoutMs, () =>
      this.#lose(attemptTimedOut(this.#subgraph)),
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
      if (this.#socket === socket) this.#lose(handshakeFailure(this.#subgraph, response.statusCode ?? 0));
    });
    // Stays when the socket is no longer current: without a listener its errors would end the process.
    socket.on('error', (error) => {
      if (this.#socket === socket) this.#lose(this.#socketFailure(error));
    });
    socket.on(
      'close',
      whileCurrent((code: number) => this.#lose(closeFailure(this.#subgraph, code))),
    );
    socket.on(
      'ping',
      whileCurrent(() => this.#watch.heard()),
    );
  }

  #onOpen(): void {
    const payload = initPayload(this.#options.opener);
    this.#send({ type: MessageType.ConnectionInit, ...(payload === undefined ? {} : { payload }) });
    this.#watch.start();
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    this.#watch.heard();
    // Always of this type, as nobody has asked `ws` for another.
    const bytes = data as Buffer;
    let message: ReturnType<typeof parseMessage>;
    try {
      if (isBinary) throw new AnswerProblem('the message is binary');
      message = parseMessage(bytes.toString('utf8'));
    } catch (error) {
      this.#refuse(error instanceof Error ? error : new AnswerProblem(String(error)));
      return;
    }
    switch (message.type) {
      case MessageType.Ping:
        this.#send({ type: MessageType.Pong, ...(message.payload ? { payload: message.payload } : {}) });
        return;
      case MessageType.Pong:
        return;
      case MessageType.ConnectionAck:
        if (this.#isAcknowledged) this.#refuse(new AnswerProblem('the connection is acknowledged twice'));
        else this.#onAcknowledged();
        return;
      case MessageType.Next:
      case MessageType.Error:
      case MessageType.Complete:
        break;
      default:
        this.#refuse(new AnswerProblem(`a server does not send "${message.type}"`));
        return;
    }
    if (!this.#isAcknowledged) {
      this.#refuse(new AnswerProblem(`"${message.type}" before the acknowledgement`));
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
        subscription.delivery.error(this.#reported(message.payload));
        return;
      case MessageType.Complete:
        this.#remove(message.id);
        subscription.delivery.complete();
        return;
    }
  }

  #onAcknowledged(): void {
    this.#isAcknowledged = true;
    this.#endConnectTimer();
    this.#reconnection.connected();
    this.#options.onAccepted();
    for (const [id, subscription] of [...this.#subscriptions]) {
      // Whoever has just been told may have ended others.
      if (!this.#subscriptions.has(id)) continue;
      this.#sendSubscribe(id, subscription);
      subscription.delivery.subscribed();
    }
    if (this.#paused.size > 0) this.#stopReading();
  }

  #onNext(id: string, { delivery }: SocketSubscription, payload: unknown, bytes: number): void {
    const { maxEventBytes } = this.#options.endpoint;
    const event =
      bytes > maxEventBytes + envelopeBytes ? eventTooLarge(maxEventBytes) : readEvent(payload, bytes);
    if (event instanceof Error) {
      this.#stop(id);
      delivery.error(invalidResponse(this.#subgraph, event));
      return;
    }
    this.#reconnection.succeeded();
    delivery.event(event);
  }

  #onSilence(intervals: number): void {
    if (intervals < toleratedSilence) {
      this.#send({ type: MessageType.Ping });
    } else {
      this.#lose(unreachable(this.#subgraph, new Error('the WebSocket has gone silent')));
    }
  }

  #sendSubscribe(id: string, subscription: SocketSubscription): void {
    subscription.wasSubscribed = true;
    subscription.cancelWait?.();
    subscription.cancelWait = undefined;
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
    this.#subscriptions.get(id)?.cancelWait?.();
    this.#subscriptions.delete(id);
    this.#resume(id);
    if (this.#subscriptions.size === 0) this.#retire(1000, 'Normal Closure');
  }

  #send(message: Parameters<typeof stringifyMessage>[0]): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(stringifyMessage(message));
  }

  /** The subgraph does not keep to the protocol. */
  #refuse(problem: Error): void {
    this.#socket?.close(CloseCode.BadResponse, 'Bad response');
    this.#lose(invalidResponse(this.#subgraph, problem));
  }

  /** The connection is gone, or is given up. */
  #lose(error: GatewayError): void {
    const socket = this.#socket;
    this.#socket = undefined;
    this.#isAcknowledged = false;
    this.#endConnectTimer();
    this.#watch.stop();
    socket?.terminate();
    const mayReturn = isPassing(error) && this.#reconnection.schedule(() => this.#connectAgain());
    if (!mayReturn) {
      this.#giveUp(error);
      return;
    }
    for (const [id, { delivery, wasSubscribed }] of [...this.#subscriptions]) {
      if (wasSubscribed) {
        delivery.interrupted(error);
      } else {
        this.#remove(id);
        delivery.error(error);
      }
    }
  }

  #giveUp(error: GatewayError): void {
    const deliveries = [...this.#subscriptions.values()].map(({ delivery }) => delivery);
    this.#forgetAll();
    // Those who subscribe again when they are told get a new one.
    this.#retire(1000, 'Normal Closure');
    for (const delivery of deliveries) delivery.error(error);
  }

  #forgetAll(): void {
    for (const { cancelWait } of this.#subscriptions.values()) cancelWait?.();
    this.#subscriptions.clear();
    this.#paused.clear();
  }

  #retire(code: number, reason: string): void {
    if (this.#isUnused) return;
    this.#isUnused = true;
    const socket = this.#socket;
    this.#socket = undefined;
    this.#isAcknowledged = false;
    this.#endConnectTimer();
    this.#watch.stop();
    this.#reconnection.stop();
    this.#options.onUnused();
    // A socket that does not read would not hear the answer.
    socket?.resume();
    socket?.close(code, reason);
  }

  #endConnectTimer(): void {
    this.#cancelConnectTimer?.();
    this.#cancelConnectTimer = undefined;
  }

  #reported(errors: unknown): GatewayError {
    const result = readEvent({ errors }, 0);
    return result instanceof Error
      ? invalidResponse(this.#subgraph, result)
      : reportedFailure(this.#subgraph, result.errors ?? []);
  }

  #socketFailure(error: Error): GatewayError {
    const code: unknown = 'code' in error ? error.code : undefined;
    if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') {
      return invalidResponse(this.#subgraph, eventTooLarge(this.#options.endpoint.maxEventBytes));
    }
    // `ws` has codes for frames that are none, and mere words for handshakes that are none; HPE is Node's HTTP parser.
    const isNonsense = typeof code !== 'string' || /^(WS_ERR|HPE)_/.test(code);
    return isNonsense
      ? invalidResponse(this.#subgraph, error)
      : transportFailure(this.#subgraph, error, this.#isAcknowledged);
  }
}

function webSocketUrl(url: string): string {
  return url.replace(/^http/i, 'ws');
}

function socketLimits({ maxEventBytes }: SourceEndpoint): ClientOptions & { closeTimeout: number } {
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
function initPayload({ connectionParams, headers }: SourceRequest): Record<string, unknown> | undefined {
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
  return statusFailure(
    subgraph,
    status,
    new AnswerProblem(`the WebSocket was refused with status ${status}`),
  );
}
