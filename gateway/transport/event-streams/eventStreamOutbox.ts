import type { ServerResponse } from 'node:http';
import type { MessageOutbox, WireMessage } from '../streams/multiplexedOperation.ts';

interface EventStreamOutboxOptions {
  /** Bytes that may wait for the client before operations have to. */
  readonly bufferSize: number;
  /** Milliseconds that they may wait without any of them being taken; then the connection is closed. */
  readonly readTimeoutMs: number;
  /** Something is sent. */
  readonly onSend: () => void;
}

/** What goes to a client of an event stream, which may not have opened it yet, or may read slowly. */
export class EventStreamOutbox implements MessageOutbox {
  readonly #options: EventStreamOutboxOptions;
  #response: ServerResponse | undefined;
  /** What came before the stream was opened. */
  #buffered: WireMessage[] = [];
  #bufferedBytes = 0;
  #drained: PromiseWithResolvers<void> | undefined;
  #isClosed = false;

  constructor(options: EventStreamOutboxOptions) {
    this.#options = options;
  }

  get isFull(): boolean {
    return this.#drained !== undefined;
  }

  async waitForDrain(): Promise<void> {
    await this.#drained?.promise;
  }

  /** Nothing when the stream is over. */
  send(...messages: WireMessage[]): void {
    if (this.#isClosed) return;
    if (this.#response === undefined) this.#buffer(messages);
    else this.#write(this.#response, messages);
  }

  /** The stream is there: what has waited for it goes first. */
  open(response: ServerResponse): void {
    this.#response = response;
    const early = this.#buffered;
    this.#buffered = [];
    this.#resume();
    if (early.length > 0) this.#write(response, early);
  }

  /** The stream is over: nobody has to wait any longer. */
  close(): void {
    this.#isClosed = true;
    this.#buffered = [];
    this.#resume();
  }

  #buffer(messages: readonly WireMessage[]): void {
    for (const message of messages) {
      this.#buffered.push(message);
      this.#bufferedBytes += message.length;
    }
    if (this.#bufferedBytes > this.#options.bufferSize) this.#drained ??= Promise.withResolvers();
  }

  #write(response: ServerResponse, messages: readonly WireMessage[]): void {
    const { bufferSize, readTimeoutMs, onSend } = this.#options;
    onSend();
    response.cork();
    for (const message of messages) response.write(message);
    response.uncork();
    if (this.#drained !== undefined || !response.writableNeedDrain || response.writableLength <= bufferSize) {
      return;
    }
    this.#drained = Promise.withResolvers();
    // A reader that takes nothing for that long is gone.
    response.socket?.setTimeout(readTimeoutMs);
    response.once('drain', () => {
      response.socket?.setTimeout(0);
      this.#resume();
    });
  }

  #resume(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }
}
