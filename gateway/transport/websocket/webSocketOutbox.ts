import type { Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { MessageOutbox, WireMessage } from '../streams/multiplexedOperation.ts';
import type { StreamSettings } from '../streams/streamSettings.ts';

interface WebSocketOutboxOptions extends Pick<StreamSettings, 'bufferSize' | 'readTimeoutMs'> {
  readonly socket: WebSocket;
  readonly connection: Socket;
  readonly onReadTimeout: () => void;
}

/** The outgoing messages of a WebSocket. While the outbox is full, the socket is paused too: results of further requests
 *  would only add to what waits. */
export class WebSocketOutbox implements MessageOutbox {
  readonly #options: WebSocketOutboxOptions;
  #drained: PromiseWithResolvers<void> | undefined;
  #unsentPings = 0;
  /** How many calls of `pauseReading` have no `resumeReading` yet. */
  #pauses = 0;

  constructor(options: WebSocketOutboxOptions) {
    this.#options = options;
    const { connection, onReadTimeout } = options;
    // node:http would destroy the connection, and the client would not get a close frame with the reason.
    connection.removeAllListeners('timeout');
    connection.on('timeout', onReadTimeout);
  }

  get isFull(): boolean {
    return this.#drained !== undefined;
  }

  /** Other bytes wait in front of a ping. */
  get hasUnsentPing(): boolean {
    return this.#unsentPings > 0;
  }

  /** Resolves when the client has read enough. Check `isFull` again then: another operation may have filled the outbox. */
  async waitForDrain(): Promise<void> {
    await this.#drained?.promise;
  }

  /** Sends messages in one write, even if the outbox is full. Does nothing when the socket is closing. */
  send(...messages: WireMessage[]): void {
    const { socket, connection, bufferSize, readTimeoutMs } = this.#options;
    if (socket.readyState !== WebSocket.OPEN) return;
    connection.cork();
    for (const message of messages) socket.send(message, { binary: false }, this.#onSent);
    connection.uncork();
    if (this.#drained !== undefined || socket.bufferedAmount <= bufferSize) return;
    this.#drained = Promise.withResolvers();
    this.pauseReading();
    connection.setTimeout(readTimeoutMs);
  }

  /** Sends a ping, which waits behind the messages. Until `onSent` is called, the read timeout applies. Does nothing when the
   *  socket is closing. */
  ping(onSent: () => void): void {
    const { socket, connection, readTimeoutMs } = this.#options;
    if (socket.readyState !== WebSocket.OPEN) return;
    this.#unsentPings += 1;
    connection.setTimeout(readTimeoutMs);
    socket.ping(undefined, undefined, () => {
      this.#unsentPings -= 1;
      this.#stopReadTimeout();
      onSent();
    });
  }

  /** Reads nothing more from the socket. What has been read already still arrives. */
  pauseReading(): void {
    this.#pauses += 1;
    this.#options.socket.pause();
  }

  resumeReading(): void {
    this.#pauses -= 1;
    if (this.#pauses === 0) this.#options.socket.resume();
  }

  /** Ends all waits for the client. */
  close(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }

  // Also called with an error when the socket is closing; `close` handles that.
  readonly #onSent = (): void => {
    const { socket, bufferSize } = this.#options;
    if (this.#drained === undefined || socket.bufferedAmount > bufferSize) return;
    this.resumeReading();
    this.#drained.resolve();
    this.#drained = undefined;
    this.#stopReadTimeout();
  };

  #stopReadTimeout(): void {
    if (!this.isFull && !this.hasUnsentPing) this.#options.connection.setTimeout(0);
  }
}
