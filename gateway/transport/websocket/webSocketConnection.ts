import { isUtf8 } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import {
  CloseCode,
  GRAPHQL_TRANSPORT_WS_PROTOCOL,
  type Message,
  MessageType,
  type SubscribePayload,
  validateMessage,
} from 'graphql-ws';
import { WebSocket } from 'ws';
import type { Admission } from '../../admission/admission.ts';
import { ClientRequest } from '../../admission/clientRequest.ts';
import { formatFailure } from '../../admission/errorFormatter.ts';
import { HttpError } from '../../admission/httpError.ts';
import { GatewayShutdownError } from '../../errors.ts';
import { clientReviverFor } from '../../json/exactJson.ts';
import { isNestedDeeperThan, maxUncheckedDepth } from '../../json/isNestedDeeperThan.ts';
import type { IncrementalFormat } from '../../operation/operationRequest.ts';
import type { TransportLog } from '../../telemetry/logger.ts';
import type { RequestRecorder } from '../../telemetry/requestRecorder.ts';
import { InactivityTimer } from '../../time/inactivityTimer.ts';
import type { CancelTimer } from '../../time/timers.ts';
import { negotiateFormats } from '../http/negotiateFormats.ts';
import { largeJsonBytes, parseLargeJson } from '../http/readBody.ts';
import { endRequestScope, runInRequestScope } from '../http/requestScope.ts';
import { ConnectionOperations } from '../streams/connectionOperations.ts';
import { type MultiplexedOperation, maxOperationIdLength } from '../streams/multiplexedOperation.ts';
import type { StreamSettings } from '../streams/streamSettings.ts';
import { ConnectionClient } from './connectionClient.ts';
import {
  findParameterProblem,
  parameterHeaders,
  parametersTooLarge,
  pickForwardedParameters,
} from './connectionHeaders.ts';
import { FrameWriter } from './frameWriter.ts';
import { operationMessagesOf, requestBodyOf } from './webSocketMessages.ts';
import { WebSocketOutbox } from './webSocketOutbox.ts';

export interface WebSocketConnectionSettings extends StreamSettings {
  readonly admission: Admission;
  /** Omitted where nothing is recorded. */
  readonly recorder?: RequestRecorder | undefined;
  /** Names of connection parameters that are used as headers, in lower case. */
  readonly connectionParams: ReadonlySet<string>;
  /** Names of connection parameters that are forwarded to subgraphs, compared exactly. */
  readonly subgraphParams: ReadonlySet<string>;
  /** Maximum number of concurrent operations on the socket. */
  readonly maxOperations: number;
  readonly log: TransportLog;
}

interface WebSocketConnectionOptions extends WebSocketConnectionSettings {
  readonly socket: WebSocket;
  readonly connection: Socket;
  readonly clientAddress: string | undefined;
  /** Names in lower case. */
  readonly handshakeHeaders: ReadonlyMap<string, string>;
  /** Counts the socket for this client (`ClientIdentity.clientKey`) instead of its address. Returns the error if the client
   *  has too many. */
  readonly admitClient: (clientKey: string) => HttpError | undefined;
}

/** Milliseconds within which the client has to send `connection_init`. Clients may fetch a token for it first. */
const initTimeoutMs = 10_000;

/** A client's connection in the protocol `graphql-transport-ws`. Messages and their validation are the library's
 *  (graphql-ws). The library's server is not used: it serializes results from objects, so that our serialized results
 *  would be parsed and serialized again, and it cannot end an operation before its first result. */
export class WebSocketConnection {
  readonly #options: WebSocketConnectionOptions;
  readonly #operations: ConnectionOperations;
  readonly #outbox: WebSocketOutbox;
  readonly #client: ConnectionClient;
  readonly #heartbeat: InactivityTimer;
  #cancelInitTimer: CancelTimer | undefined;
  #initialization: 'none' | 'started' | 'acknowledged' = 'none';
  /** Ends with the last message of those that are being parsed. Those behind a large one wait for it. */
  #reading: Promise<void> | undefined;
  #isPingPending = false;
  /** Bytes that had arrived at the last check of the liveness. */
  #bytesRead = 0;
  #forwardedParameters: Readonly<Record<string, unknown>> = {};
  #initPayload: Readonly<Record<string, unknown>> = {};
  #incremental: IncrementalFormat | undefined = 'deferSpec=20220824';

  constructor(options: WebSocketConnectionOptions) {
    const { socket, connection, bufferSize, readTimeoutMs, timers, heartbeatIntervalMs } = options;
    this.#options = options;
    this.#operations = new ConnectionOperations(options.maxUnreadBytes, () => this.#closeWhenRead());
    this.#outbox = new WebSocketOutbox({
      socket,
      connection,
      bufferSize,
      readTimeoutMs,
      onReadTimeout: () => this.#close(1013, 'The client reads too slowly'),
    });
    const { admission, handshakeHeaders, clientAddress, log, admitClient } = options;
    this.#client = new ConnectionClient({
      authentication: admission.authentication,
      handshakeHeaders,
      clientAddress,
      log,
      admitClient,
      isOpen: () => this.#isOpen,
      onAuthenticated: () => {
        this.#initialization = 'acknowledged';
        this.#outbox.send(JSON.stringify({ type: MessageType.ConnectionAck }));
      },
      endStreams: (error) => this.#operations.abortStreams(error),
      sendPong: (payload) =>
        this.#outbox.send(JSON.stringify({ type: MessageType.Pong, ...(payload && { payload }) })),
      close: (code, reason) => this.#close(code, reason),
    });
    this.#heartbeat = new InactivityTimer({
      timers,
      intervalMs: heartbeatIntervalMs,
      onIdle: () => this.#checkLiveness(),
    });
    this.#cancelInitTimer = timers.after(initTimeoutMs, () =>
      this.#close(CloseCode.ConnectionInitialisationTimeout, 'Connection initialisation timeout'),
    );
    const scope = {
      fail: () => this.#close(CloseCode.InternalServerError, 'Internal server error'),
    };
    // The library gives others than a Buffer only for other values of `binaryType`.
    socket.on('message', (data, isBinary) =>
      runInRequestScope(scope, () => this.#onMessage(data as Buffer, isBinary)),
    );
    for (const frame of ['ping', 'pong'] as const) socket.on(frame, () => this.#recordActivity());
    // `close` follows. Without this listener, an invalid frame of a client would end the process.
    socket.on('error', () => undefined);
    socket.once('close', () => {
      endRequestScope(scope);
      this.#onClose();
    });
    if (socket.protocol !== GRAPHQL_TRANSPORT_WS_PROTOCOL) {
      this.#close(
        CloseCode.SubprotocolNotAcceptable,
        `Subprotocol not acceptable: ask for ${GRAPHQL_TRANSPORT_WS_PROTOCOL}`,
      );
    }
  }

  /** Closes the socket as soon as no query or mutation runs on it: a client would send these again. */
  drain(): void {
    this.#operations.drain();
  }

  /** Ends each operation with an error. After `drain`, the socket then closes. */
  abort(): void {
    this.#operations.abortAll(new GatewayShutdownError());
  }

  terminate(): void {
    this.#options.socket.terminate();
  }

  #onMessage(data: Buffer, isBinary: boolean): void {
    this.#recordActivity();
    // The message was received while the socket was closing.
    if (!this.#isOpen) return;
    // The library checks only text. Decoding would replace the invalid bytes.
    if (isBinary && !isUtf8(data)) {
      this.#close(CloseCode.BadRequest, 'Invalid message: it is not valid UTF-8');
      return;
    }
    if (data.length > largeJsonBytes || this.#reading !== undefined) {
      const reading = this.#readInSlices(data, this.#reading).finally(() => {
        if (this.#reading === reading) this.#reading = undefined;
      });
      this.#reading = reading;
      return;
    }
    this.#read(data, () => {
      const text = String(data);
      return JSON.parse(text, clientReviverFor(text));
    });
  }

  /** Reads a large message, or one behind it: `earlier` ends with that one. */
  async #readInSlices(data: Buffer, earlier: Promise<void> | undefined): Promise<void> {
    this.#outbox.pauseReading();
    await earlier;
    const [parsed] = await Promise.allSettled([parseLargeJson(data)]);
    this.#outbox.resumeReading();
    if (!this.#isOpen) return;
    this.#read(data, () => {
      if (parsed.status === 'rejected') throw parsed.reason;
      return parsed.value;
    });
  }

  /** Handles a message, and closes the socket if `parse` throws. */
  #read(data: Buffer, parse: () => unknown): void {
    let message: Message;
    try {
      message = validateMessage(parse());
      checkPayloadDepth(message);
    } catch (error) {
      const reason = error instanceof SyntaxError ? 'it is not JSON' : (error as Error).message;
      this.#close(CloseCode.BadRequest, `Invalid message: ${reason}`);
      return;
    }
    switch (message.type) {
      case MessageType.ConnectionInit:
        if (data.length > maxInitBytes) this.#close(CloseCode.BadRequest, parametersTooLarge);
        else this.#initialize(message.payload ?? {});
        return;
      case MessageType.Ping:
        // Contrary to its type, the payload may be null.
        this.#client.onPing(message.payload ?? undefined);
        return;
      case MessageType.Pong:
        return;
      case MessageType.Subscribe:
        this.#subscribe(message.id, message.payload);
        return;
      case MessageType.Complete:
        this.#operations.end(message.id);
        return;
      default:
        this.#close(CloseCode.BadRequest, `Invalid message: a client does not send "${message.type}"`);
    }
  }

  #initialize(parameters: Readonly<Record<string, unknown>>): void {
    if (this.#initialization !== 'none') {
      this.#close(CloseCode.TooManyInitialisationRequests, 'Too many initialisation requests');
      return;
    }
    const { connectionParams } = this.#options;
    const headers =
      findParameterProblem(parameters, connectionParams) ?? parameterHeaders(parameters, connectionParams);
    const forwarded = pickForwardedParameters(parameters, this.#options.subgraphParams);
    if (typeof headers === 'string' || forwarded === undefined) {
      this.#close(CloseCode.BadRequest, typeof headers === 'string' ? headers : parametersTooLarge);
      return;
    }
    this.#initialization = 'started';
    this.#stopInitTimer();
    this.#forwardedParameters = forwarded;
    this.#initPayload = parameters;
    const accept = headers.get('accept');
    if (accept !== undefined) this.#incremental = negotiateFormats(accept).incremental;
    this.#client.authenticate(headers);
  }

  #subscribe(id: string, payload: SubscribePayload): void {
    if (this.#initialization !== 'acknowledged') {
      this.#close(CloseCode.Unauthorized, 'Unauthorized: send connection_init first');
      return;
    }
    if (id.length > maxOperationIdLength) {
      this.#close(
        CloseCode.BadRequest,
        `Invalid message: the id has more than ${maxOperationIdLength} characters`,
      );
      return;
    }
    if (this.#operations.has(id)) {
      this.#close(CloseCode.SubscriberAlreadyExists, `Subscriber for ${id} already exists`);
      return;
    }
    const { maxOperations, recorder, log, socket, connection, bufferSize, clientAddress } = this.#options;
    const messages = operationMessagesOf(id);
    const requestId = randomUUID();
    const headers = this.#client.headersOf(requestId);
    const record = recorder?.start(requestId, headers, clientAddress);
    if (this.#operations.size >= maxOperations) {
      const error = new HttpError(
        503,
        `The WebSocket has ${maxOperations} operations, the maximum (limits.operationsPerSocket). End an operation, or open another WebSocket.`,
        { code: 'OVERLOADED' },
      );
      record?.fail(error);
      record?.finish();
      this.#outbox.send(...messages.fail([error.toFormatted()]));
      return;
    }
    const operation: MultiplexedOperation = this.#operations.add(id, {
      record,
      messages,
      outbox: this.#outbox,
      createDirectWriter: () => new FrameWriter({ socket, connection, id, bufferSize, record }),
      formatFailure: (reason) =>
        reason instanceof HttpError
          ? reason.toFormatted()
          : formatFailure(reason, { requestId, signal: operation.signal }, log),
    });
    void this.#execute(operation, requestBodyOf(payload), { requestId, headers, record }).then(() => {
      record?.finish();
      this.#operations.checkDrained();
    });
  }

  /** Executes the operation and sends its response. Never rejects. */
  async #execute(
    operation: MultiplexedOperation,
    body: Readonly<Record<string, unknown>>,
    { requestId, headers, record }: Pick<ClientRequest, 'requestId' | 'headers' | 'record'>,
  ): Promise<void> {
    const { admission, clientAddress } = this.#options;
    const client = new ClientRequest({
      headers,
      incremental: this.#incremental,
      acceptsSubscriptions: true,
      isReadOnly: false,
      lastEventId: undefined,
      connectionParams: this.#forwardedParameters,
      initPayload: this.#initPayload,
      transport: 'websocket',
      clientAddress,
      requestId,
      record,
      signal: operation.signal,
    });
    try {
      // The message was read from the connection together with those whose responses wait.
      if (this.#outbox.isFull) await operation.waitUntilWritable();
      admission.checkReady();
      const request = { method: 'POST', search: '', body, headers, acceptsArrays: false };
      const result = await admission.admit(request, client);
      const { expired } = this.#client;
      if (result.kind === 'stream' && expired !== undefined) operation.abort(expired);
      await operation.deliver(result);
    } catch (error) {
      operation.fail(error);
    } finally {
      client.releaseSupergraph();
    }
  }

  get #isOpen(): boolean {
    return this.#options.socket.readyState === WebSocket.OPEN;
  }

  #checkLiveness(): void {
    // The socket is paused while the outbox is full: no answer can arrive. A client that reads slowly has not seen a ping
    // behind other bytes. The read timeout applies to both.
    if (this.#outbox.isFull || this.#outbox.hasUnsentPing) return;
    const { bytesRead } = this.#options.connection;
    // The client cannot answer in the middle of a frame.
    const isSending = bytesRead !== this.#bytesRead;
    this.#bytesRead = bytesRead;
    if (!this.#isPingPending) {
      this.#isPingPending = true;
      this.#outbox.ping(() => this.#heartbeat.recordActivity());
    } else if (!isSending) this.terminate();
  }

  #recordActivity(): void {
    this.#isPingPending = false;
    this.#heartbeat.recordActivity();
  }

  /** Closes the drained socket when its client has read the responses: it has only a second for those in front of the close
   *  frame. */
  #closeWhenRead(): void {
    this.#outbox.ping(() => {
      if (this.#operations.isDrained) this.#close(1001, 'Going away');
    });
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
    this.#operations.endAll();
  }

  #onClose(): void {
    this.#heartbeat.stop();
    this.#stopInitTimer();
    this.#client.release();
    this.#operations.endAll();
    this.#outbox.close();
  }

  #stopInitTimer(): void {
    this.#cancelInitTimer?.();
    this.#cancelInitTimer = undefined;
  }
}

/** The payload of `connection_init` stays in memory as long as the socket. */
const maxInitBytes = 64 * 1024;

/** Checks the payloads that the gateway sends on as they are. The variables of operations have a limit of their own.
 *  @throws for a payload that is nested too deep. */
function checkPayloadDepth(message: Message): void {
  if (message.type !== MessageType.Ping && message.type !== MessageType.ConnectionInit) return;
  if (isNestedDeeperThan(message.payload, maxUncheckedDepth))
    throw new Error(`the payload is nested more than ${maxUncheckedDepth} levels deep`);
}
