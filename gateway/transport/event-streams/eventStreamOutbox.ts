import type { ServerResponse } from 'node:http';
import { setReadTimeout } from '../http/writeResponse.ts';
import type { MessageOutbox, WireMessage } from '../streams/multiplexedOperation.ts';
import type { StreamSettings } from '../streams/streamSettings.ts';

interface EventStreamOutboxOptions extends Pick<StreamSettings, 'bufferSize' | 'readTimeoutMs'> {
  /** Called before each write. */
  readonly onSend: () => void;
}

/** The outgoing messages of an event stream. Buffers them until the client opens the stream, and reports a client that
 *  reads slowly as a full outbox. */
export class EventStreamOutbox implements MessageOutbox {
  readonly #options: EventStreamOutboxOptions;
  #response: ServerResponse | undefined;
  /** Messages from before the stream was opened. */
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

  /** Does nothing after `close`. */
  send(...messages: WireMessage[]): void {
    if (this.#isClosed) return;
    if (this.#response === undefined) this.#buffer(messages);
    else this.#write(this.#response, messages);
  }

  /** Sends the buffered messages, and from now on directly to `response`. */
  open(response: ServerResponse): void {
    this.#response = response;
    const buffered = this.#buffered;
    this.#buffered = [];
    this.#resume();
    if (buffered.length > 0) this.#write(response, buffered);
  }

  /** Discards buffered messages and ends all waits for the client. */
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
    setReadTimeout(response, readTimeoutMs, 'drain');
    response.once('drain', () => this.#resume());
  }

  #resume(): void {
    this.#drained?.resolve();
    this.#drained = undefined;
  }
}
