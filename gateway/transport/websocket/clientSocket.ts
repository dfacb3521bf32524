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
import type { IncrementalFormat } from '../../operation/request.ts';
import type { CancelTimer, Timers } from '../../time/timers.ts';
import type { Admission } from '../admission/admission.ts';
import { GoingAway } from '../goingAway.ts';
import { Heartbeat } from '../heartbeat.ts';
import { negotiate } from '../http/negotiate.ts';
import { ClientGone, Refusal } from '../refusal.ts';
import { chooseRequestId } from '../requestId.ts';
import type { TransportLog } from '../transportLog.ts';
import { operationHeaders, parameterHeaders } from './connectionHeaders.ts';
import { Outbox } from './outbox.ts';
import { ownParameters } from './ownParameters.ts';
import { SocketOperation } from './socketOperation.ts';

export interface ClientSocketSettings {
  readonly admission: Admission;
  /** Names of connection parameters that count as headers, in lower case. */
  readonly connectionParams: ReadonlySet<string>;
  /** Names of those that may travel to subgraphs, as they are. */
  readonly subgraphParams: ReadonlySet<string>;
  /** Most operations at a time. */
  readonly operationsPerSocket: number;
  /** Bytes that may wait for a client that reads slowly. */
  readonly bufferSize: number;
  /** Milliseconds after which a client that takes nothing of them loses its connection. */
  readonly readTimeout: number;
  /** Milliseconds of quiet after which the client is asked whether it is there, and has to answer. */
  readonly heartbeat: number;
  /** Milliseconds in which the client has to begin. */
  readonly initTimeout: number;
  readonly timers: Timers;
  readonly log: TransportLog;
}

export interface ClientSocketOptions extends ClientSocketSettings {
  readonly socket: WebSocket;
  readonly connection: Socket;
  /** Of the handshake, names in lower case. */
  readonly handshake: ReadonlyMap<string, string>;
}

/** A client of the protocol `graphql-transport-ws`. The messages and their checks are the library's. Its server is not
 *  used: it writes results from objects, which would have our texts parsed and written again, and it cannot end an
 *  operation before there is a result. */
export class ClientSocket {
  readonly #options: ClientSocketOptions;
  readonly #operations = new Map<string, SocketOperation>();
  readonly #outbox: Outbox;
  readonly #heartbeat: Heartbeat;
  #cancelInitTimer: CancelTimer | undefined;
  #isInitialized = false;
  #isAsked = false;
  #isDraining = false;
  #parameters: ReadonlyMap<string, string> = new Map();
  #ownParameters: Readonly<Record<string, unknown>> = {};
  #incremental: IncrementalFormat | undefined = 'deferSpec=20220824';

  constructor(options: ClientSocketOptions) {
    const { socket, connection, bufferSize, readTimeout, timers, heartbeat, initTimeout } = options;
    this.#options = options;
    this.#outbox = new Outbox({
      socket,
      connection,
      bufferSize,
      readTimeout,
      onUnread: () => this.#close(1013, 'The client reads too slowly'),
    });
    this.#heartbeat = new Heartbeat({ timers, intervalMs: heartbeat, onQuiet: () => this.#askForLife() });
    this.#cancelInitTimer = timers.after(initTimeout, () =>
      this.#close(CloseCode.ConnectionInitialisationTimeout, 'Connection initialisation timeout'),
    );
    socket.on('message', (data) => this.#onMessage(data));
    for (const sign of ['ping', 'pong'] as const) socket.on(sign, () => this.#onLife());
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
    for (const operation of [...this.#operations.values()]) operation.abort(new GoingAway());
  }

  terminate(): void {
    this.#options.socket.terminate();
  }

  #onMessage(data: RawData): void {
    this.#onLife();
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
        this.#operations.get(message.id)?.abort(new ClientGone());
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
    const own = ownParameters(parameters, this.#options.subgraphParams);
    if (headers === undefined || own === undefined) {
      this.#close(CloseCode.BadRequest, 'The connection parameters are larger than headers may be');
      return;
    }
    this.#isInitialized = true;
    this.#endInitTimer();
    this.#parameters = headers;
    this.#ownParameters = own;
    const accept = headers.get('accept');
    if (accept !== undefined) this.#incremental = negotiate(accept).incremental;
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
    const { admission, operationsPerSocket, handshake, connection, log } = this.#options;
    if (this.#operations.size >= operationsPerSocket) {
      const refusal = new Refusal(
        503,
        `There are ${operationsPerSocket} operations on this socket, the most that are allowed (limits.operationsPerSocket). End one, or open another socket.`,
        { code: 'OVERLOADED' },
      );
      this.#outbox.send(JSON.stringify({ id, type: MessageType.Error, payload: [refusal.toFormatted()] }));
      return;
    }
    const requestId = chooseRequestId(undefined);
    const operation = new SocketOperation({
      id,
      body: bodyOf(payload),
      headers: operationHeaders(handshake, this.#parameters, requestId),
      connectionParams: this.#ownParameters,
      clientAddress: connection.remoteAddress,
      requestId,
      incremental: this.#incremental,
      admission,
      outbox: this.#outbox,
      log,
      onEndless: () => this.#closeIfDrained(),
      onEnd: () => {
        // The client may have ended it, and begun another one with this id.
        if (this.#operations.get(id) === operation) this.#operations.delete(id);
      },
    });
    this.#operations.set(id, operation);
    void operation.run().then(() => this.#closeIfDrained());
  }

  #askForLife(): void {
    // Nothing is read while it has so much to read: then the time of reading counts.
    if (this.#outbox.isFull) return;
    if (this.#isAsked) {
      this.terminate();
      return;
    }
    this.#isAsked = true;
    if (this.#options.socket.readyState === WebSocket.OPEN) this.#options.socket.ping();
  }

  #onLife(): void {
    this.#isAsked = false;
    this.#heartbeat.note();
  }

  #closeIfDrained(): void {
    if (!this.#isDraining) return;
    for (const operation of this.#operations.values()) if (!operation.isEndless) return;
    this.#close(1001, 'Going away');
  }

  #close(code: number, reason: string): void {
    this.#endInitTimer();
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
    this.#endInitTimer();
    this.#endOperations();
    this.#outbox.close();
  }

  #endOperations(): void {
    const operations = [...this.#operations.values()];
    this.#operations.clear();
    for (const operation of operations) operation.abort(new ClientGone());
  }

  #endInitTimer(): void {
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
