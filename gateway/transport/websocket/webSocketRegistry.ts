import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { handleProtocols } from 'graphql-ws';
import { type ServerOptions, WebSocketServer } from 'ws';
import { addressKey } from '../../admission/addressKey.ts';
import { HttpError } from '../../admission/httpError.ts';
import { ClientCounts } from '../../sharing/clientCounts.ts';
import type { ReadClientAddress } from '../http/clientAddress.ts';
import type { CorsPolicy } from '../http/cors.ts';
import type { CheckHost } from '../http/hostCheck.ts';
import { findMalformedHeaders } from '../http/malformedHeaders.ts';
import { refuseUpgrade } from '../http/writeResponse.ts';
import { checkOrigin, type HandshakeCredentials } from './checkOrigin.ts';
import { handshakeHeaders } from './connectionHeaders.ts';
import { WebSocketConnection, type WebSocketConnectionSettings } from './webSocketConnection.ts';

interface WebSocketRegistryOptions extends WebSocketConnectionSettings {
  /** Maximum size of a message in bytes. */
  readonly maxMessageBytes: number;
  /** Maximum number of open sockets. */
  readonly maxConnections: number;
  /** Maximum number of open sockets of one client. */
  readonly maxConnectionsPerClient: number;
  /** Whether the origin of a browser's page is checked. */
  readonly csrf: boolean;
  readonly cors: CorsPolicy;
  readonly checkHost: CheckHost;
  readonly clientAddressOf: ReadClientAddress;
  readonly isDraining: () => boolean;
}

/** Milliseconds within which a client has to answer a close frame. */
const closeTimeoutMs = 1000;

/** Maximum number of fragments of a message. Each is a part of what was read from the connection at once, and keeps all of
 *  that in memory, up to 64 kB: with the library's maximum, an unfinished message of 16 kB could take 1 GB. */
const maxFragments = 256;

/** Maximum number of parts in which a fragment may arrive. The library joins them in quadratic time from some 15,000 on:
 *  40,000 parts of one byte took 3 s. A packet of the Internet has 1.4 kB. */
const maxBufferedChunks = 10_000;

/** The WebSockets of all clients. Accepts upgrades, and closes the sockets when the gateway shuts down. */
export class WebSocketRegistry {
  readonly #options: WebSocketRegistryOptions;
  readonly #server: WebSocketServer;
  readonly #open = new Set<WebSocketConnection>();
  readonly #counts = new ClientCounts();
  #allClosed: PromiseWithResolvers<void> | undefined;

  constructor(options: WebSocketRegistryOptions) {
    this.#options = options;
    const settings: ServerOptions & { closeTimeout: number } = {
      noServer: true,
      // One message of a socket in a turn of the event loop. Otherwise, all that have arrived are handled in one.
      allowSynchronousEvents: false,
      clientTracking: false,
      maxPayload: options.maxMessageBytes,
      maxFragments,
      maxBufferedChunks,
      perMessageDeflate: false,
      closeTimeout: closeTimeoutMs,
      handleProtocols,
    };
    this.#server = new WebSocketServer(settings);
    // The library itself would respond with HTML.
    this.#server.on('wsClientError', ({ message }, connection) => {
      const headers = { 'sec-websocket-version': '13' };
      const problem = `The handshake of a WebSocket is not valid: ${message}.`;
      refuseUpgrade(connection, new HttpError(400, problem, { headers }));
    });
  }

  get size(): number {
    return this.#open.size;
  }

  /** Accepts an upgrade request, or rejects it with an HTTP status. */
  upgrade(request: IncomingMessage, connection: Duplex, head: Buffer): void {
    const clientAddress = this.#options.clientAddressOf(request);
    let clientKey = addressKey(clientAddress);
    let credentials: HandshakeCredentials;
    try {
      credentials = this.#admit(request, clientKey);
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      refuseUpgrade(connection, error);
      return;
    }
    this.#server.handleUpgrade(request, connection, head, (socket) => {
      const client = new WebSocketConnection({
        ...this.#options,
        socket,
        connection: connection as Socket,
        clientAddress,
        handshakeHeaders: handshakeHeaders(request.headers, credentials),
        admitClient: (key) => {
          const refusal = key === clientKey ? undefined : this.#findExcessOf(key);
          if (refusal !== undefined) return refusal;
          this.#counts.add(clientKey, -1);
          this.#counts.add(key, 1);
          clientKey = key;
          return undefined;
        },
      });
      this.#open.add(client);
      this.#counts.add(clientKey, 1);
      socket.once('close', () => {
        this.#open.delete(client);
        this.#counts.add(clientKey, -1);
        if (this.#open.size === 0) this.#allClosed?.resolve();
      });
      if (this.#options.isDraining()) client.drain();
    });
  }

  /** Closes every socket as soon as no query or mutation runs on it. */
  drain(): void {
    for (const client of this.#open) client.drain();
  }

  /** Resolves when no socket is open. */
  async waitForEnd(): Promise<void> {
    if (this.#open.size === 0) return;
    this.#allClosed ??= Promise.withResolvers();
    await this.#allClosed.promise;
  }

  /** Ends every operation with an error. */
  abortAll(): void {
    for (const client of this.#open) client.abort();
  }

  terminateAll(): void {
    for (const client of this.#open) client.terminate();
  }

  #admit(request: IncomingMessage, clientKey: string): HandshakeCredentials {
    const { admission, maxConnections, csrf, cors, checkHost, isDraining } = this.#options;
    if (isDraining()) {
      throw new HttpError(503, 'The gateway is shutting down. Connect again.', { code: 'SHUTTING_DOWN' });
    }
    const problem = findMalformedHeaders(request) ?? checkHost(request.headers);
    if (problem !== undefined) throw problem;
    const { 'content-length': length = '0', 'transfer-encoding': coding } = request.headers;
    // Of such a request, node:http has no `Socket`. It would also take the messages of the client for the body.
    if (length !== '0' || coding !== undefined)
      throw new HttpError(400, 'The handshake of a WebSocket has a body. Send it without one.');
    const credentials = csrf ? checkOrigin(request.headers, cors) : 'used';
    admission.checkReady();
    if (maxConnections === 0) {
      throw new HttpError(
        403,
        'WebSockets are turned off (limits.webSockets is 0). Send operations over HTTP, and accept text/event-stream for subscriptions.',
        { code: 'FORBIDDEN' },
      );
    }
    if (this.#open.size >= maxConnections) {
      throw new HttpError(
        503,
        `The number of WebSockets is at its maximum, ${maxConnections} (limits.webSockets). Try again.`,
        { code: 'OVERLOADED' },
      );
    }
    const excess = this.#findExcessOf(clientKey);
    if (excess !== undefined) throw excess;
    return credentials;
  }

  /** The error for another socket of this client; `undefined` if it may have one. */
  #findExcessOf(clientKey: string): HttpError | undefined {
    const { maxConnectionsPerClient: max } = this.#options;
    if (this.#counts.of(clientKey) < max) return undefined;
    return new HttpError(
      503,
      `The number of this client's WebSockets is at its maximum, ${max} (limits.webSocketsPerClient). Close one of them first.`,
      { code: 'OVERLOADED' },
    );
  }
}

/** Whether a request is for an upgrade to a WebSocket, and not to another protocol. */
export function isWebSocketUpgrade({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}
