import type { Socket } from 'node:net';
import { WebSocket } from 'ws';

interface WebSocketOutboxOptions {
  readonly socket: WebSocket;
  readonly connection: Socket;
  /** Bytes that may wait for the client before operations have to. */
  readonly bufferSize: number;
  /** Milliseconds that they may wait without any of them being taken. */
  readonly readTimeoutMs: number;
  /** They have waited for so long. */
  readonly onReadTimeout: () => void;
}

/** What goes to a client that may read slowly. While it has enough to read, nothing is read of it either: what it asks
 *  for would be more that waits. */
export class WebSocketOutbox {
  readonly #options: WebSocketOutboxOptions;
  #drained: PromiseWithResolvers<void> | undefined;

  constructor(options: WebSocketOutboxOptions) {
    this.#options = options;
    const { connection, onReadTimeout } = options;
    // node:http would destroy the connection, and the client would not hear why.
    connection.removeAllListeners('timeout');
    connection.on('timeout', onReadTimeout);
  }

  get isFull(): boolean {
    return this.#drained !== undefined;
  }

  /** Resolves when the client has read enough for more. To be asked again then: others may have been faster. */
  async waitForDrain(): Promise<void> {
    await this.#drained?.promise;
  }

  /** Sends messages in one write, whatever waits already. Nothing when the socket is closing. */
  send(...messages: readonly (string | Buffer)[]): void {
    const { socket, connection, bufferSize, readTimeoutMs } = this.#options;
    if (socket.readyState !== WebSocket.OPEN) return;
    connection.cork();
    for (const message of messages) socket.send(message, { binary: false }, this.#onSent);
    connection.uncork();
    if (this.#drained !== undefined || socket.bufferedAmount <= bufferSize) return;
    this.#drained = Promise.withResolvers();
    socket.pause();
    connection.setTimeout(readTimeoutMs);
  }

  /** The socket is closed: nobody has to wait any longer. */
  close(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  // An error means that the socket is closing, of which its own event tells.
  readonly #onSent = (): void => {
    const { socket, connection, bufferSize } = this.#options;
    if (this.#drained === undefined || socket.bufferedAmount > bufferSize) return;
    connection.setTimeout(0);
    socket.resume();
    this.#drained.resolve();
    this.#drained = undefined;
  };
}
