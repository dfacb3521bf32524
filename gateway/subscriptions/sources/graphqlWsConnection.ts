import {
  CloseCode,
  type CompleteMessage,
  type ErrorMessage,
  GRAPHQL_TRANSPORT_WS_PROTOCOL,
  MessageType,
  type NextMessage,
  parseMessage,
  stringifyMessage,
} from 'graphql-ws/client';
import { type ClientOptions, type RawData, WebSocket } from 'ws';
import type { GatewayError } from '../../errors.ts';
import { exactReviverFor } from '../../json/exactJson.ts';
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
import { signatureHeaderOf } from '../../subgraphs/requestSignature.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import { explainLostConnection } from '../../tls/explainTlsError.ts';
import { errorForCloseCode, isCodeOfConnection } from './errorForCloseCode.ts';
import { HeartbeatMonitor, maxMissedHeartbeats } from './heartbeatMonitor.ts';
import { eventTooLargeProblem } from './readEvent.ts';
import type { SourceEndpoint, SourceRequest } from './subscriptionSource.ts';

/** What the requests of all subscriptions on a socket have in common, and how the first one is traced. Not the request
 *  itself: the socket may last longer than its subscription, and would keep a replaced supergraph in memory. */
export type SocketRequest = Pick<
  SourceRequest,
  'subgraph' | 'headers' | 'connectionParams' | 'requestId' | 'traceHeaders'
>;

/** A message about one subscription. */
export type SubscriptionMessage = NextMessage | ErrorMessage | CompleteMessage;

interface GraphqlWsConnectionOptions {
  readonly endpoint: SourceEndpoint;
  readonly request: SocketRequest;
  readonly timers: Timers;
  /** Called with the WebSocket, so that the owner can wait until it is closed. */
  onSocket(socket: WebSocket): void;
  /** The subgraph has sent `connection_ack`. */
  onAcknowledged(): void;
  /** Only after the acknowledgement. `bytes`: the size of the message. */
  onMessage(message: SubscriptionMessage, bytes: number): void;
  /** Called once, unless `close` was called before. `mayBeOfOne`: one of the subscriptions may be the reason. */
  onLost(error: GatewayError, mayBeOfOne: boolean): void;
}

/** Maximum bytes of a message besides its event. */
export const envelopeBytes = 256;

/** How long the closing handshake may take. */
const closeTimeoutMs = 1000;

/** One WebSocket with `graphql-transport-ws`: its handshake, acknowledgement and heartbeats.
 *
 *  Messages are parsed and validated by graphql-ws. Its client is not used: it reconnects by itself after some closes,
 *  cannot be ended before the acknowledgement, and does not report the size of an event. */
export class GraphqlWsConnection {
  readonly #options: GraphqlWsConnectionOptions;
  readonly #subgraph: string;
  readonly #socket: WebSocket;
  readonly #heartbeatMonitor: HeartbeatMonitor;
  readonly #cancelTimer: CancelTimer;
  /** The handshake of the WebSocket has ended. */
  #isOpen = false;
  #isAcknowledged = false;
  #isEnded = false;

  constructor(options: GraphqlWsConnectionOptions) {
    const { endpoint, request, timers } = options;
    this.#options = options;
    this.#subgraph = request.subgraph;
    this.#heartbeatMonitor = new HeartbeatMonitor({
      timers,
      intervalMs: endpoint.heartbeatMs,
      onMissedHeartbeats: (intervals) => this.#onMissedHeartbeats(intervals),
    });
    this.#socket = new WebSocket(webSocketUrl(endpoint.url), GRAPHQL_TRANSPORT_WS_PROTOCOL, {
      ...endpoint.tls,
      ...socketOptions(endpoint),
      headers: handshakeHeaders(request, endpoint),
    });
    this.#cancelTimer = timers.after(endpoint.connectTimeoutMs, () =>
      this.#lose(connectTimeoutError(this.#subgraph)),
    );
    options.onSocket(this.#socket);
    this.#listen(this.#socket);
  }

  get isAcknowledged(): boolean {
    return this.#isAcknowledged;
  }

  send(message: Parameters<typeof stringifyMessage>[0]): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(stringifyMessage(message));
  }

  stopReading(): void {
    this.#socket.pause();
    // Pings and pongs are not read while the socket is paused.
    this.#heartbeatMonitor.stop();
  }

  resumeReading(): void {
    this.#socket.resume();
    this.#heartbeatMonitor.start();
  }

  close(code: number, reason: string): void {
    if (this.#isEnded) return;
    this.#end();
    // A paused socket would not read the closing handshake.
    this.#socket.resume();
    this.#socket.close(code, reason);
  }

  #listen(socket: WebSocket): void {
    const ifOpen =
      <Values extends unknown[]>(handle: (...values: Values) => void) =>
      (...values: Values): void => {
        if (!this.#isEnded) handle(...values);
      };
    const onClose = ifOpen((code: number) =>
      this.#lose(errorForCloseCode(this.#subgraph, code), !isCodeOfConnection(code)),
    );
    const onMessage = ifOpen((data: RawData, isBinary: boolean) => this.#onMessage(data, isBinary));
    // This listener stays after the end: an `error` event without one would end the process.
    const onError = ifOpen((error: Error) => this.#lose(this.#toSocketError(error), true));
    const onOpen = ifOpen(() => this.#onOpen());
    socket.on('open', onOpen).on('message', onMessage);
    socket.on('error', onError).on('close', onClose);
    // Also in the middle of a message: a large one may take longer than the intervals, and a pong has to wait for its end.
    const onBytes = ifOpen(() => this.#heartbeatMonitor.recordActivity());
    socket.on('upgrade', ({ socket: connection }) => {
      // Earlier, this listener would take the bytes that arrive with the handshake away from `ws`.
      socket.once('open', () => connection.on('data', onBytes));
    });
    socket.on('unexpected-response', (request, response) => {
      request.destroy();
      if (!this.#isEnded) this.#lose(handshakeError(this.#subgraph, response.statusCode ?? 0));
    });
  }

  #onOpen(): void {
    this.#isOpen = true;
    const payload = connectionInitPayload(this.#options.request);
    this.send({ type: MessageType.ConnectionInit, ...(payload === undefined ? {} : { payload }) });
    this.#heartbeatMonitor.start();
  }

  #onMessage(data: RawData, isBinary: boolean): void {
    // `ws` delivers Buffers unless `binaryType` is changed.
    const bytes = data as Buffer;
    let message: ReturnType<typeof parseMessage>;
    try {
      if (isBinary) throw new InvalidResponseError('the message is binary');
      const text = bytes.toString('utf8');
      message = parseMessage(text, exactReviverFor(text));
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
        if (this.#socket.bufferedAmount > this.#options.endpoint.maxEventBytes) return;
        this.send({ type: MessageType.Pong, ...(message.payload ? { payload: message.payload } : {}) });
        return;
      case MessageType.Pong:
        return;
      case MessageType.ConnectionAck:
        this.#onAcknowledged();
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
    this.#options.onMessage(message, bytes.length);
  }

  #onAcknowledged(): void {
    if (this.#isAcknowledged) {
      this.#failInvalid(new InvalidResponseError('the connection was acknowledged twice'));
      return;
    }
    this.#cancelTimer();
    this.#isAcknowledged = true;
    this.#options.onAcknowledged();
  }

  #onMissedHeartbeats(intervals: number): void {
    if (intervals < maxMissedHeartbeats) {
      this.send({ type: MessageType.Ping });
    } else {
      const problem = new Error(`the subgraph sent no heartbeat for ${intervals} intervals`);
      this.#lose(unreachableError(this.#subgraph, problem));
    }
  }

  /** The subgraph violated the protocol. */
  #failInvalid(problem: Error): void {
    this.#socket.close(CloseCode.BadResponse, 'Bad response');
    this.#lose(invalidResponseError(this.#subgraph, problem), true);
  }

  /** The connection failed, or is abandoned. */
  #lose(error: GatewayError, mayBeOfOne = false): void {
    this.#end();
    this.#socket.terminate();
    this.#options.onLost(error, mayBeOfOne && this.#isAcknowledged);
  }

  #end(): void {
    this.#isEnded = true;
    this.#heartbeatMonitor.stop();
    this.#cancelTimer();
  }

  #toSocketError(error: Error): GatewayError {
    const code: unknown = 'code' in error ? error.code : undefined;
    if (code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH') {
      return invalidResponseError(this.#subgraph, eventTooLargeProblem(this.#options.endpoint.maxEventBytes));
    }
    // `ws` reports invalid frames with a code, and invalid handshakes without one. HPE is Node's HTTP parser.
    const isProtocolViolation = typeof code !== 'string' || /^(WS_ERR|HPE)_/.test(code);
    if (isProtocolViolation) return invalidResponseError(this.#subgraph, error);
    const cause = this.#isOpen ? error : explainLostConnection(error, this.#options.endpoint.tls);
    return transportError(this.#subgraph, cause, this.#isAcknowledged);
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
    // Each fragment keeps all of what arrived with it in memory, up to 64 kB. Some servers write fragments of 1 kB.
    maxFragments: 256 + Math.ceil(maxEventBytes / 1024),
    // To join more parts of a fragment takes quadratic time.
    maxBufferedChunks: 10_000,
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
    ...(signing && pairsToObject(signatureHeaderOf(signing, ''))),
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

function handshakeError(subgraph: string, status: number): GatewayError {
  return statusError(
    subgraph,
    status,
    new InvalidResponseError(`the WebSocket was refused with status ${status}`),
  );
}
