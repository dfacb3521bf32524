import type { Socket } from 'node:net';
import {
  CloseCode,
  GRAPHQL_TRANSPORT_WS_PROTOCOL,
  type Message,
  MessageType,
  parseMessage,
  type SubscribePayload,
} from 'graphql-ws';
import { type RawData, WebSocket } from 'ws';
import type { Admission } from '../../admission/admission.ts';
import { ClientDisconnectedError, HttpError } from '../../admission/httpError.ts';
import { GatewayShutdownError } from '../../errors.ts';
import type { IncrementalFormat } from '../../operation/operationRequest.ts';
import type { TransportLog } from '../../telemetry/transportLog.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import { chooseRequestId } from '../http/chooseRequestId.ts';
import { negotiateFormats } from '../http/negotiateFormats.ts';
import { HeartbeatTimer } from '../streams/heartbeatTimer.ts';
import { operationHeaders, parameterHeaders } from './connectionHeaders.ts';
import { pickForwardedParameters } from './pickForwardedParameters.ts';
import { WebSocketOperation } from './webSocketOperation.ts';
import { WebSocketOutbox } from './webSocketOutbox.ts';

export interface WebSocketConnectionSettings {
  readonly admission: Admission;
  /** Names of connection parameters that count as headers, in lower case. */
  readonly connectionParams: ReadonlySet<string>;
  /** Names of those that may travel to subgraphs, as they are. */
  readonly subgraphParams: ReadonlySet<string>;
  /** Most operations at a time. */
  readonly maxOperations: number;
  /** Bytes that may wait for a client that reads slowly. */
  readonly bufferSize: number;
  /** Milliseconds after which a client that takes nothing of them loses its connection. */
  readonly readTimeoutMs: number;
  /** Milliseconds of quiet after which the client is asked whether it is there, and has to answer. */
  readonly heartbeatIntervalMs: number;
  /** Milliseconds in which the client has to begin. */
  readonly initTimeoutMs: number;
  readonly timers: Timers;
  readonly log: TransportLog;
}

interface WebSocketConnectionOptions extends WebSocketConnectionSettings {
  readonly socket: WebSocket;
  readonly connection: Socket;
  /** Of the handshake, names in lower case. */
  readonly handshakeHeaders: ReadonlyMap<string, string>;
}

/** A client of the protocol `graphql-transport-ws`. The messages and their checks are the library's. Its server is not
 *  used: it writes results from objects, which would have our texts parsed and written again, and it cannot end an
 *  operation before there is a result. */
export class WebSocketConnection {
  readonly #options: WebSocketConnectionOptions;
  readonly #operations = new Map<string, WebSocketOperation>();
  readonly #outbox: WebSocketOutbox;
  readonly #heartbeat: HeartbeatTimer;
  #cancelInitTimer: CancelTimer | undefined;
  #isInitialized = false;
  #isPingPending = false;
  #isDraining = false;
  #parameters: ReadonlyMap<string, string> = new Map();
  #forwardedParameters: Readonly<Record<string, unknown>> = {};
  #incremental: IncrementalFormat | undefined = 'deferSpec=20220824';

  constructor(options: WebSocketConnectionOptions) {
    const { socket, connection, bufferSize, readTimeoutMs, timers, heartbeatIntervalMs, initTimeoutMs } =
      options;
    this.#options = options;
    this.#outbox = new WebSocketOutbox({
      socket,
      connection,
      bufferSize,
      readTimeoutMs,
      onReadTimeout: () => this.#close(1013, 'The client reads too slowly'),
    });
    this.#heartbeat = new HeartbeatTimer({
      timers,
      intervalMs: heartbeatIntervalMs,
      onIdle: () => this.#checkLiveness(),
    });
    this.#cancelInitTimer = timers.after(initTimeoutMs, () =>
      this.#close(CloseCode.ConnectionInitialisationTimeout, 'Connection initialisation timeout'),
    );
    socket.on('message', (data) => this.#onMessage(data));
    for (const sign of ['ping', 'pong'] as const) socket.on(sign, () => this.#recordActivity());
    // A `close` follows. Without a listener, what a client sends wrongly would end the process.
    socket.on('error', () => undefined);
    socket.once('close', () => this.#onClose());
    if (socket.protocol !== GRAPHQL_TRANSPORT_WS_PROTOCOL) {
      this.#close(
        CloseCode.SubprotocolNotAcceptable,
        `Subprotocol not acceptable: ask for ${GRAPHQL_TRANSPORT_WS_PROTOCOL}`,
      );
    }
  }

  /** Closes the socket as soon as no query or mutation runs on it: the client would send them again. */
  drain(): void {
    this.#isDraining = true;
    this.#closeIfDrained();
  }

  /** Ends the operations, with an error each, and closes the socket. */
  abort(): void {
    for (const operation of [...this.#operations.values()]) operation.abort(new GatewayShutdownError());
  }

  terminate(): void {
    this.#options.socket.terminate();
  }

  #onMessage(data: RawData): void {
    this.#recordActivity();
    // What was on its way when the socket was closed.
    if (this.#options.socket.readyState !== WebSocket.OPEN) return;
    let message: Message;
    try {
      message = parseMessage(String(data));
    } catch (error) {
      const reason = error instanceof SyntaxError ? 'it is not JSON' : (error as Error).message;
      this.#close(CloseCode.BadRequest, `Invalid message: ${reason}`);
      return;
    }
    switch (message.type) {
      case MessageType.ConnectionInit:
        this.#initialize(message.payload ?? {});
        return;
      case MessageType.Ping:
        this.#outbox.send(
          JSON.stringify({ type: MessageType.Pong, ...(message.payload && { payload: message.payload }) }),
        );
        return;
      case MessageType.Pong:
        return;
      case MessageType.Subscribe:
        this.#subscribe(message.id, message.payload);
        return;
      case MessageType.Complete:
        this.#operations.get(message.id)?.abort(new ClientDisconnectedError());
        this.#operations.delete(message.id);
        this.#closeIfDrained();
        return;
      default:
        this.#close(CloseCode.BadRequest, `Invalid message: a client does not send "${message.type}"`);
    }
  }

  #initialize(parameters: Readonly<Record<string, unknown>>): void {
    if (this.#isInitialized) {
      this.#close(CloseCode.TooManyInitialisationRequests, 'Too many initialisation requests');
      return;
    }
    const headers = parameterHeaders(parameters, this.#options.connectionParams);
    const own = pickForwardedParameters(parameters, this.#options.subgraphParams);
    if (headers === undefined || own === undefined) {
      this.#close(CloseCode.BadRequest, 'The connection parameters are larger than headers may be');
      return;
    }
    this.#isInitialized = true;
    this.#stopInitTimer();
    this.#parameters = headers;
    this.#forwardedParameters = own;
    const accept = headers.get('accept');
    if (accept !== undefined) this.#incremental = negotiateFormats(accept).incremental;
    this.#outbox.send(JSON.stringify({ type: MessageType.ConnectionAck }));
  }

  #subscribe(id: string, payload: SubscribePayload): void {
    if (!this.#isInitialized) {
      this.#close(CloseCode.Unauthorized, 'Unauthorized: send connection_init first');
      return;
    }
    if (this.#operations.has(id)) {
      this.#close(CloseCode.SubscriberAlreadyExists, `Subscriber for ${id} already exists`);
      return;
    }
    const { admission, maxOperations, handshakeHeaders, connection, log } = this.#options;
    if (this.#operations.size >= maxOperations) {
      const refusal = new HttpError(
        503,
        `There are ${maxOperations} operations on this socket, the most that are allowed (limits.operationsPerSocket). End one, or open another socket.`,
        { code: 'OVERLOADED' },
      );
      this.#outbox.send(JSON.stringify({ id, type: MessageType.Error, payload: [refusal.toFormatted()] }));
      return;
    }
    const requestId = chooseRequestId(undefined);
    const operation = new WebSocketOperation({
      id,
      body: bodyOf(payload),
      headers: operationHeaders(handshakeHeaders, this.#parameters, requestId),
      connectionParams: this.#forwardedParameters,
      clientAddress: connection.remoteAddress,
      requestId,
      incremental: this.#incremental,
      admission,
      outbox: this.#outbox,
      log,
      onSubscription: () => this.#closeIfDrained(),
      onEnd: () => {
        // The client may have ended it, and begun another one with this id.
        if (this.#operations.get(id) === operation) this.#operations.delete(id);
      },
    });
    this.#operations.set(id, operation);
    void operation.run().then(() => this.#closeIfDrained());
  }

  #checkLiveness(): void {
    // Nothing is read while it has so much to read: then the time of reading counts.
    if (this.#outbox.isFull) return;
    if (this.#isPingPending) {
      this.terminate();
      return;
    }
    this.#isPingPending = true;
    if (this.#options.socket.readyState === WebSocket.OPEN) this.#options.socket.ping();
  }

  #recordActivity(): void {
    this.#isPingPending = false;
    this.#heartbeat.recordActivity();
  }

  #closeIfDrained(): void {
    if (!this.#isDraining) return;
    for (const operation of this.#operations.values()) if (!operation.isSubscription) return;
    this.#close(1001, 'Going away');
  }

  #close(code: number, reason: string): void {
    this.#stopInitTimer();
    // A control frame holds 125 bytes, two of them for the code.
    this.#options.socket.close(
      code,
      Buffer.from(reason)
        .subarray(0, 123)
        .toString()
        .replace(/\ufffd$/, ''),
    );
    this.#endOperations();
  }

  #onClose(): void {
    this.#heartbeat.stop();
    this.#stopInitTimer();
    this.#endOperations();
    this.#outbox.close();
  }

  #endOperations(): void {
    const operations = [...this.#operations.values()];
    this.#operations.clear();
    for (const operation of operations) operation.abort(new ClientDisconnectedError());
  }

  #stopInitTimer(): void {
    this.#cancelInitTimer?.();
    this.#cancelInitTimer = undefined;
  }
}

/** The payload of `subscribe` as the body that HTTP would have. Without a text for a persisted query, which the protocol
 *  wants to be there: clients send an empty one. */
function bodyOf({ query, ...rest }: SubscribePayload): Readonly<Record<string, unknown>> {
  const isHashAlone = query === '' && rest.extensions?.persistedQuery !== undefined;
  return isHashAlone ? rest : { query, ...rest };
}
