import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { handleProtocols } from 'graphql-ws';
import { type ServerOptions, WebSocketServer } from 'ws';
import type { CorsOptions } from '../http/cors.ts';
import { writeRefusal } from '../http/writeRefusal.ts';
import { Refusal } from '../refusal.ts';
import { ClientSocket, type ClientSocketSettings } from './clientSocket.ts';
import { handshakeHeaders } from './connectionHeaders.ts';
import { checkOrigin, type HandshakeCredentials } from './origin.ts';

export interface WebSocketsOptions extends ClientSocketSettings {
  /** Largest message, in bytes. */
  readonly messageSize: number;
  /** Most sockets at a time. */
  readonly webSockets: number;
  /** Whether the page that a browser connects from has to be one that may. */
  readonly csrf: boolean;
  readonly cors: CorsOptions | undefined;
  readonly isDraining: () => boolean;
}

/** Milliseconds that a client gets to answer a close frame. */
const closeTimeout = 1000;

/** The sockets of all clients: takes upgrades, and ends them when the gateway does. */
export class WebSockets {
  readonly #options: WebSocketsOptions;
  readonly #server: WebSocketServer;
  readonly #open = new Set<ClientSocket>();
  #whenNone: PromiseWithResolvers<void> | undefined;

  constructor(options: WebSocketsOptions) {
    this.#options = options;
    const settings: ServerOptions & { closeTimeout: number } = {
      noServer: true,
      clientTracking: false,
      maxPayload: options.messageSize,
      perMessageDeflate: false,
      closeTimeout,
      handleProtocols,
    };
    this.#server = new WebSocketServer(settings);
  }

  get size(): number {
    return this.#open.size;
  }

  /** Answers a request for an upgrade, with a socket or with a status that says why not. */
  upgrade(request: IncomingMessage, connection: Duplex, head: Buffer): void {
    let credentials: HandshakeCredentials;
    try {
      credentials = this.#admit(request);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      // The client may be gone, of which nobody has to know.
      connection.on('error', () => undefined);
      writeRefusal(connection, error);
      (connection as Socket).destroySoon();
      return;
    }
    this.#server.handleUpgrade(request, connection, head, (socket) => {
      const client = new ClientSocket({
        ...this.#options,
        socket,
        connection: connection as Socket,
        handshake: handshakeHeaders(request.headers, credentials),
      });
      this.#open.add(client);
      socket.once('close', () => {
        this.#open.delete(client);
        if (this.#open.size === 0) this.#whenNone?.resolve();
      });
      if (this.#options.isDraining()) client.drain();
    });
  }

  /** Closes every socket as soon as no query or mutation runs on it. */
  drain(): void {
    for (const client of this.#open) client.drain();
  }

  /** Resolves when there is no socket left. */
  async ended(): Promise<void> {
    if (this.#open.size === 0) return;
    this.#whenNone ??= Promise.withResolvers();
    await this.#whenNone.promise;
  }

  /** Ends what runs, each with an error. */
  abortAll(): void {
    for (const client of this.#open) client.abort();
  }

  terminateAll(): void {
    for (const client of this.#open) client.terminate();
  }

  #admit(request: IncomingMessage): HandshakeCredentials {
    const { admission, webSockets, csrf, cors, isDraining } = this.#options;
    if (isDraining()) {
      throw new Refusal(503, 'The gateway is shutting down. Connect again.', { code: 'REQUEST_ABORTED' });
    }
    const credentials = csrf ? checkOrigin(request.headers, cors) : 'kept';
    admission.checkReady();
    if (this.#open.size >= webSockets) {
      throw new Refusal(
        503,
        `There are ${webSockets} WebSockets, the most that are allowed (limits.webSockets). Try again.`,
        { code: 'OVERLOADED', headers: { 'retry-after': '1' } },
      );
    }
    return credentials;
  }
}

/** Whether a request is for a WebSocket, and not for another protocol that clients offer to change to. */
export function isWebSocketUpgrade({ headers }: IncomingMessage): boolean {
  return headers.upgrade?.toLowerCase() === 'websocket';
}
